"""AKS clusters through the unmodified azureml-core, with every option that it has."""

from app.simulator.clusters import Clusters
from app.simulator.server import Simulator
from app.simulator.world import SUBSCRIPTION
from tests.simulating import run_script, running_simulator

_THEIRS = (
    "/subscriptions/s/resourceGroups/g/providers/"
    "Microsoft.ContainerService/managedClusters/theirs"
)
_SCRIPT = f"""
import json, os
from pathlib import Path
from azureml.core import Workspace
from azureml.core.authentication import (
    ServicePrincipalAuthentication, TokenAuthentication,
)
from azureml.core.compute import AksCompute, ComputeTarget
from azureml.exceptions import ComputeTargetException

names = ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET")
principal = ServicePrincipalAuthentication(*(os.environ[name] for name in names))
place = {{"subscription_id": "{SUBSCRIPTION}", "resource_group": "ml"}}
prod = Workspace.get("prod", auth=principal, **place)
tokens = TokenAuthentication(lambda _: principal.get_token().token, cloud="AzureCloud")
dev = Workspace.get("dev", auth=tokens, **place)
told = {{
    "regions": [prod.location, dev.location],
    "listed": sorted(Workspace.list("{SUBSCRIPTION}", auth=principal)),
}}

Path("cert.pem").write_text("CERTIFICATE")
Path("key.pem").write_text("PRIVATE KEY")
full = AksCompute.provisioning_configuration(
    agent_count=4, vm_size="Standard_D4_v2", cluster_purpose="FastProd",
    location="eastus", ssl_cname="score.example", ssl_cert_pem_file="cert.pem",
    ssl_key_pem_file="key.pem", vnet_resourcegroup_name="net", vnet_name="v",
    subnet_name="s", service_cidr="10.0.0.0/16", dns_service_ip="10.0.0.10",
    docker_bridge_cidr="172.17.0.1/16", load_balancer_type="InternalLoadBalancer",
    load_balancer_subnet="lb",
)
aks = ComputeTarget.create(prod, "aks1", full)
told["first"] = aks.provisioning_state
aks.wait_for_completion()
told["last"] = aks.provisioning_state
told["keys"] = sorted(aks.get_credentials())

theirs = AksCompute.attach_configuration(
    resource_id="{_THEIRS}", cluster_purpose="DevTest"
)
attached = ComputeTarget.attach(prod, "theirs", theirs)
attached.wait_for_completion()
told["computes"] = sorted(prod.compute_targets)
told["elsewhere"] = sorted(dev.compute_targets)
try:
    attached.delete()
except ComputeTargetException as error:
    told["no delete"] = "UnsupportedDeleteAction" in error.message
attached.detach()
attached.wait_for_completion(is_delete_operation=True)

small = AksCompute.provisioning_configuration(agent_count=1)
try:
    ComputeTarget.create(prod, "small", small)
except ComputeTargetException as error:
    told["too small"] = "at least 12 virtual CPUs" in error.message
dev_test = AksCompute.provisioning_configuration(agent_count=1,
    cluster_purpose="DevTest").enable_ssl(leaf_domain_label="leaf",
    overwrite_existing_domain=True)
broken = ComputeTarget.create(prod, "broken", dev_test)
try:
    broken.wait_for_completion()
except ComputeTargetException as error:
    told["failed"] = "no cores left" in error.message
told["errors"] = [broken.provisioning_state, broken.provisioning_errors]
broken.delete()
broken.wait_for_completion(is_delete_operation=True)
told["left"] = sorted(prod.compute_targets)
print(json.dumps(told))
"""


async def test_azureml_core_creates_attaches_lists_and_removes_without_a_change() -> (
    None
):
    async with running_simulator(speed=1_000_000) as simulator:
        simulator.world.faults.add(
            "cluster-failure",
            where={"cluster": "broken"},
            parameters={"message": "no cores left"},
        )

        ran = await run_script(simulator, _SCRIPT)

        assert ran.told == {
            "regions": ["eastus2", "westeurope"],
            "listed": ["dev", "prod"],
            # At this speed the cluster is there before anybody looks.
            "first": "Succeeded",
            "last": "Succeeded",
            "keys": [
                "adminKubeConfig",
                "computeType",
                "imagePullSecretName",
                "userKubeConfig",
            ],
            "computes": ["aks1", "theirs"],
            "elsewhere": [],
            "no delete": True,
            "too small": True,
            "failed": True,
            "errors": [
                "Failed",
                [
                    {
                        "code": "AksOperationFailed",
                        "message": "no cores left",
                        "details": [],
                    }
                ],
            ],
            "left": ["aks1"],
        }
        assert not simulator.world.journal.unexpected_hosts
        assert not simulator.world.journal.unknown()
        await _every_option_is_kept(simulator)


async def _every_option_is_kept(simulator: Simulator) -> None:
    workspace = simulator.world.workspace(SUBSCRIPTION, "ml", "prod")
    cluster = workspace.part(Clusters).get("aks1")
    assert cluster.location == "eastus"
    assert cluster.properties == {
        "agentCount": 4,
        "agentVmSize": "Standard_D4_v2",
        "clusterPurpose": "FastProd",
        "loadBalancerType": "InternalLoadBalancer",
        "loadBalancerSubnet": "lb",
        "sslConfiguration": {
            "status": "Enabled",
            "cname": "score.example",
            "cert": "CERTIFICATE",
            "key": "PRIVATE KEY",
        },
        "aksNetworkingConfiguration": {
            "subnetId": f"/subscriptions/{SUBSCRIPTION}/resourceGroups/net/providers/"
            "Microsoft.Network/virtualNetworks/v/subnets/s",
            "serviceCidr": "10.0.0.0/16",
            "dnsServiceIP": "10.0.0.10",
            "dockerBridgeCidr": "172.17.0.1/16",
        },
    }
