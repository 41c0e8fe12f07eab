"""A service with every option, what of it must arrive at Azure, and a change of it."""

from collections.abc import Mapping
from dataclasses import replace

from app.core.aci_options import AciOptions
from app.core.aks_options import AksOptions
from app.core.secret import Secret
from tests.targets.azureml_v1.v1 import CLUSTER

_GIVEN = Secret(value="x")
SECRETS = {
    "ssl_cert_pem": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    "ssl_key_pem": "-----BEGIN PRIVATE KEY-----\nBBBB\n-----END PRIVATE KEY-----\n",
    "primary_key": "first-key-0123456789",
    "secondary_key": "second-key-0123456789",
}
ACI = AciOptions(
    kind="aci",
    cpu_cores=1.5,
    memory_gb=2.5,
    location="westus2",
    auth_enabled=True,
    ssl_enabled=True,
    ssl_cert_pem=_GIVEN,
    ssl_key_pem=_GIVEN,
    ssl_cname="models.example.com",
    enable_app_insights=True,
    dns_name_label="diabetes-label",
    primary_key=_GIVEN,
    secondary_key=_GIVEN,
    collect_model_data=True,
    cmk_vault_base_url="https://vault.example.com",
    cmk_key_name="service-key",
    cmk_key_version="v7",
    vnet_name="net",
    subnet_name="sub",
)
AKS = AksOptions(
    kind="aks",
    compute_target_name=CLUSTER,
    namespace="models",
    autoscale_enabled=True,
    autoscale_min_replicas=2,
    autoscale_max_replicas=7,
    autoscale_refresh_seconds=3,
    autoscale_target_utilization=55,
    collect_model_data=True,
    auth_enabled=True,
    cpu_cores=0.3,
    cpu_cores_limit=1.5,
    memory_gb=0.7,
    memory_gb_limit=2.0,
    gpu_cores=1,
    enable_app_insights=True,
    scoring_timeout_ms=30_000,
    replica_max_concurrent_requests=4,
    max_request_wait_time=700,
    primary_key=_GIVEN,
    secondary_key=_GIVEN,
    period_seconds=11,
    initial_delay_seconds=222,
    timeout_seconds=5,
    success_threshold=2,
    failure_threshold=6,
    blobfuse_enabled=False,
)
FIXED_AKS = AksOptions(
    kind="aks",
    compute_target_name=CLUSTER,
    num_replicas=3,
    token_auth_enabled=True,
)

_RESOURCES = "containerResourceRequirements"
_PROBE = "livenessProbeRequirements"
ACI_WIRE: Mapping[str, tuple[str, object]] = {
    "kind": ("computeType", "ACI"),
    "cpu_cores": (f"{_RESOURCES}/cpu", 1.5),
    "memory_gb": (f"{_RESOURCES}/memoryInGB", 2.5),
    "location": ("location", "westus2"),
    "auth_enabled": ("authEnabled", True),
    "ssl_enabled": ("sslEnabled", True),
    "ssl_cert_pem": ("sslCertificate", SECRETS["ssl_cert_pem"]),
    "ssl_key_pem": ("sslKey", SECRETS["ssl_key_pem"]),
    "ssl_cname": ("cname", "models.example.com"),
    "enable_app_insights": ("appInsightsEnabled", True),
    "dns_name_label": ("dnsNameLabel", "diabetes-label"),
    "primary_key": ("keys/primaryKey", SECRETS["primary_key"]),
    "secondary_key": ("keys/secondaryKey", SECRETS["secondary_key"]),
    "collect_model_data": ("dataCollection/storageEnabled", True),
    "cmk_vault_base_url": (
        "encryptionProperties/vaultBaseUrl",
        "https://vault.example.com",
    ),
    "cmk_key_name": ("encryptionProperties/keyName", "service-key"),
    "cmk_key_version": ("encryptionProperties/keyVersion", "v7"),
    "vnet_name": ("vnetConfiguration/vnetName", "net"),
    "subnet_name": ("vnetConfiguration/subnetName", "sub"),
}
AKS_WIRE: Mapping[str, tuple[str, object]] = {
    "kind": ("computeType", "AKS"),
    "compute_target_name": ("computeName", CLUSTER),
    "namespace": ("namespace", "models"),
    "autoscale_enabled": ("autoScaler/autoscaleEnabled", True),
    "autoscale_min_replicas": ("autoScaler/minReplicas", 2),
    "autoscale_max_replicas": ("autoScaler/maxReplicas", 7),
    "autoscale_refresh_seconds": ("autoScaler/refreshPeriodInSeconds", 3),
    "autoscale_target_utilization": ("autoScaler/targetUtilization", 55),
    "collect_model_data": ("dataCollection/storageEnabled", True),
    "auth_enabled": ("authEnabled", True),
    "cpu_cores": (f"{_RESOURCES}/cpu", 0.3),
    "cpu_cores_limit": (f"{_RESOURCES}/cpuLimit", 1.5),
    "memory_gb": (f"{_RESOURCES}/memoryInGB", 0.7),
    "memory_gb_limit": (f"{_RESOURCES}/memoryInGBLimit", 2.0),
    "gpu_cores": (f"{_RESOURCES}/gpu", 1),
    "enable_app_insights": ("appInsightsEnabled", True),
    "scoring_timeout_ms": ("scoringTimeoutMs", 30_000),
    "replica_max_concurrent_requests": ("maxConcurrentRequestsPerContainer", 4),
    "max_request_wait_time": ("maxQueueWaitMs", 700),
    "primary_key": ("keys/primaryKey", SECRETS["primary_key"]),
    "secondary_key": ("keys/secondaryKey", SECRETS["secondary_key"]),
    "period_seconds": (f"{_PROBE}/periodSeconds", 11),
    "initial_delay_seconds": (f"{_PROBE}/initialDelaySeconds", 222),
    "timeout_seconds": (f"{_PROBE}/timeoutSeconds", 5),
    "success_threshold": (f"{_PROBE}/successThreshold", 2),
    "failure_threshold": (f"{_PROBE}/failureThreshold", 6),
    "blobfuse_enabled": ("storageInitEnabled", True),
}
# The rest of AksOptions goes without the options above.
FIXED_AKS_WIRE: Mapping[str, tuple[str, object]] = {
    "num_replicas": ("numReplicas", 3),
    "token_auth_enabled": ("aadAuthEnabled", True),
}

# What a change of every option that a service can change leaves, field by field.
NEW_ACI = replace(ACI, ssl_cname="other.example.com", enable_app_insights=False)
ACI_CHANGES: Mapping[str, object] = {
    "/authEnabled": True,
    "/sslEnabled": True,
    "/sslCertificate": SECRETS["ssl_cert_pem"],
    "/sslKey": SECRETS["ssl_key_pem"],
    "/cname": "other.example.com",
    "/appInsightsEnabled": False,
    "/description": "",
}
NEW_AKS = AksOptions(
    kind="aks",
    compute_target_name=CLUSTER,
    namespace="models",
    num_replicas=2,
    collect_model_data=False,
    token_auth_enabled=True,
    # Above the limit of before, which azureml-core would take for a mistake.
    cpu_cores=2.0,
    memory_gb=3.0,
    gpu_cores=0,
    scoring_timeout_ms=20_000,
    replica_max_concurrent_requests=2,
    max_request_wait_time=600,
    period_seconds=12,
    initial_delay_seconds=111,
    timeout_seconds=4,
    success_threshold=1,
    failure_threshold=5,
    blobfuse_enabled=False,
)
AKS_CHANGES: Mapping[str, object] = {
    "/autoScaler/autoscaleEnabled": False,
    "/numReplicas": 2,
    "/dataCollection/storageEnabled": False,
    "/authEnabled": False,
    "/aadAuthEnabled": True,
    f"/{_RESOURCES}/cpu": 2.0,
    f"/{_RESOURCES}/cpuLimit": None,
    f"/{_RESOURCES}/memoryInGB": 3.0,
    f"/{_RESOURCES}/memoryInGBLimit": None,
    f"/{_RESOURCES}/gpu": 0,
    "/appInsightsEnabled": False,
    "/scoringTimeoutMs": 20_000,
    "/maxConcurrentRequestsPerContainer": 2,
    "/maxQueueWaitMs": 600,
    f"/{_PROBE}/periodSeconds": 12,
    f"/{_PROBE}/initialDelaySeconds": 111,
    f"/{_PROBE}/timeoutSeconds": 4,
    f"/{_PROBE}/successThreshold": 1,
    f"/{_PROBE}/failureThreshold": 5,
    "/description": "",
    "/properties/a~1b": "c",
}
