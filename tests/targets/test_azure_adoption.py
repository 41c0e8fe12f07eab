"""A web service of somebody else's, read as the request that would have made it."""

from dataclasses import fields
from typing import Any

import pytest

from app.core.aci_options import AciOptions
from app.core.aks_options import AksOptions
from app.core.errors import NotFoundError, NotSupportedError
from app.simulator.service_documents import complete, shown
from app.simulator.services import ServiceBook
from app.targets.azure_adoption import StandingServices, standing_service
from tests.simulating import running_simulator
from tests.targets.azure import rest_at, simulated, workspace_at

REGION = "eastus2"
MODELS = [{"id": "sklearn-model:3", "name": "sklearn-model", "version": 3}]
URI = "http://churn.eastus2.azurecontainer.io/score"
# Those that Azure never shows: the caller gives them anew, or leaves them as they are.
HIDDEN = {
    "kind",
    "primary_key",
    "secondary_key",
    "ssl_cert_pem",
    "ssl_key_pem",
    # The SDK sends it at the creation and no service shows it.
    "blobfuse_enabled",
}


def document(kind: str, **given: Any) -> dict[str, Any]:  # noqa: ANN401
    """A service as Azure shows one that was made with `given`."""
    made = shown(complete(kind, given, REGION))
    return {
        **made,
        "name": "churn",
        "computeType": kind,
        "state": "Healthy",
        "models": MODELS,
        "scoringUri": URI,
    }


ACI: dict[str, Any] = {
    "containerResourceRequirements": {"cpu": 2, "memoryInGB": 3.5},
    "location": "westeurope",
    "authEnabled": True,
    "sslEnabled": True,
    "cname": "scoring.example.com",
    "appInsightsEnabled": True,
    "dnsNameLabel": "churn",
    "dataCollection": {"storageEnabled": True},
    "encryptionProperties": {
        "vaultBaseUrl": "https://keys.vault.azure.net",
        "keyName": "container",
        "keyVersion": "1",
    },
    "vnetConfiguration": {"vnetName": "net", "subnetName": "containers"},
}
AKS: dict[str, Any] = {
    "computeName": "cluster",
    "namespace": "models",
    "autoScaler": {
        "autoscaleEnabled": True,
        "minReplicas": 2,
        "maxReplicas": 5,
        "refreshPeriodInSeconds": 3,
        "targetUtilization": 60,
    },
    "aadAuthEnabled": True,
    "authEnabled": False,
    "containerResourceRequirements": {
        "cpu": 0.5,
        "cpuLimit": 1,
        "memoryInGB": 1,
        "memoryInGBLimit": 2,
        "gpu": 1,
    },
    "dataCollection": {"storageEnabled": True},
    "appInsightsEnabled": True,
    "scoringTimeoutMs": 1000,
    "maxConcurrentRequestsPerContainer": 4,
    "maxQueueWaitMs": 100,
    "livenessProbeRequirements": {
        "periodSeconds": 11,
        "initialDelaySeconds": 12,
        "timeoutSeconds": 13,
        "successThreshold": 14,
        "failureThreshold": 15,
    },
}


def test_every_option_of_aci_that_azure_shows_is_read() -> None:
    found = standing_service(document("ACI", **ACI), region=REGION).options

    assert isinstance(found, AciOptions)
    left_out = _left_as_they_were(found, AciOptions(kind="aci"))
    # On by default here, as in this document.
    assert left_out == {"auth_enabled"}
    assert (found.memory_gb, found.location) == (3.5, "westeurope")
    assert found.vnet_name == "net"


def test_every_option_of_aks_that_azure_shows_is_read() -> None:
    found = standing_service(document("AKS", **AKS), region=REGION).options

    assert isinstance(found, AksOptions)
    plain = AksOptions(kind="aks", compute_target_name="other")
    # What the others exclude, or say already.
    excluded = {"num_replicas", "autoscale_enabled", "auth_enabled"}
    assert _left_as_they_were(found, plain) == excluded
    assert (found.autoscale_max_replicas, found.failure_threshold) == (5, 15)
    assert list(found.problems()) == []


def test_a_fixed_number_of_replicas_leaves_the_autoscaler_out() -> None:
    given = {
        "computeName": "cluster",
        "numReplicas": 3,
        "autoScaler": {"autoscaleEnabled": False, "minReplicas": 1},
    }

    found = standing_service(document("AKS", **given), region=REGION).options

    assert found == AksOptions(
        kind="aks", compute_target_name="cluster", num_replicas=3
    )


def test_what_azure_chose_by_itself_is_no_option() -> None:
    shown_ = document("ACI", location=REGION)

    found = standing_service(shown_, region=REGION)

    assert found.options == AciOptions(kind="aci", auth_enabled=False)
    assert found.model.uri == "models:/sklearn-model/3"
    assert found.scoring_uri == URI


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"kvTags": {"slipway.deployment": "dep_1"}}, "the mark"),
        ({"state": "Transitioning"}, "Transitioning"),
        ({"state": None}, "without a state"),
        ({"computeType": "AMLCOMPUTE"}, "neither"),
        ({"models": []}, "0 registered models"),
        ({"models": MODELS * 2}, "2 registered models"),
        ({"models": [{"name": "m"}]}, "without a name and a version"),
        ({"containerResourceRequirements": {"cpu": 64}}, "cpu_cores"),
    ],
)
def test_what_cannot_be_adopted_is_refused_with_the_reason(
    changes: dict[str, Any], reason: str
) -> None:
    odd = {**document("ACI"), **changes}

    with pytest.raises(NotSupportedError, match=reason):
        standing_service(odd, region=REGION)


async def test_a_service_is_read_with_its_model(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with (
        running_simulator() as simulator,
        rest_at(simulator, monkeypatch) as rest,
    ):
        place = simulated(simulator)
        place.part(ServiceBook).plant("churn", document("ACI", **ACI))
        reader = StandingServices(rest)
        workspace = workspace_at(place)

        found = await reader.read_service(workspace, "churn")
        with pytest.raises(NotFoundError):
            await reader.read_service(workspace, "nobody")

    assert found.name == "churn"
    assert found.model.version == "3"


def _left_as_they_were(
    found: AciOptions | AksOptions, plain: AciOptions | AksOptions
) -> set[str]:
    """The options that are no other than the defaults."""
    names = {one.name for one in fields(type(found))} - HIDDEN
    return {name for name in names if getattr(found, name) == getattr(plain, name)}
