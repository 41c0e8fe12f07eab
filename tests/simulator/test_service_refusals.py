"""What no service can be, refused before anything is made."""

import pytest

from app.simulator.clusters import Clusters
from app.simulator.errors import AzureError
from app.simulator.patches import Patch
from app.simulator.service_deployments import update
from tests.simulator.deploying import Deploying, deploying, reasons


@pytest.fixture
def azure() -> Deploying:
    return deploying()


_ACI_REFUSALS = (
    ({"containerResourceRequirements": {"cpu": 0}}, "cpu must be greater than 0"),
    ({"containerResourceRequirements": {"cpu": 5}}, "cpu must not be greater than 4"),
    ({"containerResourceRequirements": {"memoryInGB": 17}}, "memoryInGB must not be"),
    ({"containerResourceRequirements": {"cpu": True}}, "cpu must be a number"),
    ({"sslEnabled": True}, "SSL is enabled"),
    ({"vnetConfiguration": {"vnetName": "net"}}, "vnetConfiguration needs both"),
    ({"encryptionProperties": {"keyName": "key"}}, "encryptionProperties needs"),
    ({"dnsNameLabel": "Not Good"}, "dnsNameLabel"),
    ({"environmentImageRequest": None}, "ImageMissing"),
    ({"computeType": "MIR"}, "ComputeTypeInvalid"),
    ({"kvTags": {"a": 1}}, "kvTags must map strings"),
)


@pytest.mark.parametrize(("fields", "reason"), _ACI_REFUSALS)
def test_what_no_container_group_can_be_is_refused(
    azure: Deploying, fields: dict[str, object], reason: str
) -> None:
    with pytest.raises(AzureError) as refused:
        azure.create(**fields)

    assert refused.value.status == 400
    assert reason in reasons(refused.value)
    assert azure.book.find("svc") is None


_AKS_REFUSALS = (
    ({"numReplicas": 0}, "numReplicas must be greater than 0"),
    ({"autoScaler": {"autoscaleEnabled": False}}, "numReplicas must be set"),
    (
        {"autoScaler": {"autoscaleEnabled": True}, "numReplicas": 2},
        "numReplicas cannot be set",
    ),
    ({"autoScaler": {"minReplicas": 5, "maxReplicas": 2}}, "must not exceed"),
    ({"authEnabled": True, "aadAuthEnabled": True}, "cannot both be true"),
    ({"namespace": "Not_good"}, "Kubernetes namespace"),
    ({"scoringTimeoutMs": 0}, "scoringTimeoutMs must be greater"),
    ({"maxQueueWaitMs": "soon"}, "maxQueueWaitMs must be a number"),
    ({"livenessProbeRequirements": {"periodSeconds": 0}}, "periodSeconds"),
    ({"containerResourceRequirements": {"cpu": 2, "cpuLimit": 1}}, "cpuLimit"),
    ({"computeName": None}, "computeName must be provided"),
)


@pytest.mark.parametrize(("fields", "reason"), _AKS_REFUSALS)
def test_what_no_service_of_a_cluster_can_be_is_refused(
    azure: Deploying, fields: dict[str, object], reason: str
) -> None:
    azure.cluster()

    with pytest.raises(AzureError) as refused:
        azure.create(**{"computeType": "AKS", "computeName": "aks", **fields})

    assert refused.value.status == 400
    assert reason in reasons(refused.value)


@pytest.mark.parametrize("name", ["ab", "1abc", "abc-", "Abc", "a" * 33])
def test_a_name_that_no_service_can_have_is_refused(
    azure: Deploying, name: str
) -> None:
    with pytest.raises(AzureError, match="invalid"):
        azure.create(name)


def test_a_model_that_is_not_there_is_missing(azure: Deploying) -> None:
    asked = {"modelIds": ["none:1"], "environment": {}}

    with pytest.raises(AzureError) as refused:
        azure.create(environmentImageRequest=asked)

    assert refused.value.status == 404
    assert "ModelNotFound" in reasons(refused.value)


def test_a_cluster_that_is_still_made_takes_no_service(azure: Deploying) -> None:
    body = {"properties": {"computeType": "AKS", "properties": {}}}
    azure.workspace.part(Clusters).put("aks", body)

    with pytest.raises(AzureError) as refused:
        azure.create(computeType="AKS", computeName="aks")

    assert "ComputeNotReady" in reasons(refused.value)


def test_the_size_of_a_container_group_cannot_be_patched(azure: Deploying) -> None:
    azure.deployed()
    patch = Patch(
        operation="replace",
        field="containerResourceRequirements",
        member="cpu",
        value=2,
    )

    with pytest.raises(AzureError) as refused:
        update(azure.book, "svc", [patch])

    assert "InvalidPatch" in reasons(refused.value)
    assert azure.shown()["containerResourceRequirements"]["cpu"] == 0.1
