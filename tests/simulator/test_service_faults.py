"""What goes wrong with services, as operations, services and logs tell it."""

import pytest

from app.simulator.blobs import BlobStore
from app.simulator.quotas import CONTAINERS, Quotas
from app.simulator.service_faults import KINDS
from app.simulator.service_removal import remove
from tests.simulator.deploying import A_DAY, Deploying, deploying

# Fault, state of the operation, state of the service, Azure's code.
_FAILURES = (
    ("image-build-failure", "Failed", "Failed", "EnvironmentBuildFailed"),
    ("crash-loop", "Failed", "Failed", "AciDeploymentFailed"),
    ("unschedulable", "Failed", "Failed", "OutOfCapacity"),
    ("quota", "Failed", "Failed", "ContainerGroupQuotaReached"),
    ("out-of-capacity", "Failed", "Failed", "OutOfCapacity"),
    ("internal-error", "Failed", "Failed", "InternalServerError"),
    ("unhealthy", "Failed", "Unhealthy", "DeploymentFailed"),
    ("timed-out", "TimedOut", "Unhealthy", "DeploymentTimedOut"),
    ("cancelled", "Cancelled", "Failed", "OperationCanceled"),
    ("forbidden-as-transitioning", "Failed", "Transitioning", "AuthorizationFailed"),
    ("inaccessible-image", "Failed", "Transitioning", "InaccessibleImage"),
)
_NOT_FAILURES = {"transitioning-long", "unhealthy-later", "delete-failure"}


@pytest.fixture
def azure() -> Deploying:
    return deploying()


def test_every_failure_that_is_published_is_in_the_table() -> None:
    published = {kind.name for kind in KINDS}

    assert published - _NOT_FAILURES == {name for name, *_ in _FAILURES}


@pytest.mark.parametrize(("fault", "operation", "state", "code"), _FAILURES)
def test_a_tag_makes_a_deployment_fail_as_azure_does(
    azure: Deploying, fault: str, operation: str, state: str, code: str
) -> None:
    started = azure.create(kvTags={"simulate": fault})

    azure.skip(A_DAY)

    told = azure.polled(started)
    assert told["state"] == operation
    assert told["error"]["code"] == code
    shown = azure.shown()
    assert shown["state"] == state
    assert shown["scoringUri"] is None
    hidden = state == "Transitioning"
    assert (shown["error"] is None) == hidden


def test_a_rule_strikes_the_named_service_once(azure: Deploying) -> None:
    azure.world.faults.add("crash-loop", where={"service": "bad-*"})

    first, other = azure.deployed("bad-one"), azure.deployed("good")
    again = azure.deployed("bad-two")

    assert (first.state, other.state, again.state) == ("Failed", "Healthy", "Healthy")


def test_a_failed_build_names_its_log(azure: Deploying) -> None:
    started = azure.create(kvTags={"simulate": "image-build-failure"})
    blobs = azure.workspace.part(BlobStore)
    log = f"ImageLogs/{started.id}/build.log"

    azure.skip(100)
    azure.shown()
    during = blobs.get("azureml", log).content
    azure.skip(A_DAY)
    told = azure.polled(started)

    assert during == b""
    assert told["operationDetails"] == {"subOperationType": "BuildEnvironment"}
    assert log in told["operationLog"]
    assert b"No matching distribution" in blobs.get("azureml", log).content


def test_a_cluster_without_room_is_unschedulable_after_five_minutes(
    azure: Deploying,
) -> None:
    azure.cluster()
    azure.deployed("first", computeType="AKS", computeName="aks")
    started = azure.create(
        computeType="AKS", computeName="aks", kvTags={"simulate": "unschedulable"}
    )

    azure.skip(290)
    early = azure.polled(started)["state"]
    azure.skip(60)

    assert early == "Running"
    assert azure.shown()["state"] == "Unschedulable"
    details = azure.polled(started)["error"]["details"]
    assert [each["code"] for each in details] == ["Unschedulable", "DeploymentFailed"]


def test_a_long_transition_ends_well_in_the_end(azure: Deploying) -> None:
    azure.world.faults.add("transitioning-long", parameters={"seconds": 3600})
    started = azure.create()

    azure.skip(3600)
    during = azure.polled(started)["state"], azure.shown()["state"]
    azure.skip(1000)

    assert during == ("Running", "Transitioning")
    assert azure.shown()["state"] == "Healthy"


def test_a_healthy_service_can_turn_unhealthy_later(azure: Deploying) -> None:
    started = azure.create(kvTags={"simulate": "unhealthy-later"})

    azure.skip(started.plan.seconds + 30)
    before = azure.shown()["state"]
    azure.skip(60)

    assert before == "Healthy"
    assert azure.shown()["state"] == "Unhealthy"
    assert azure.polled(started)["state"] == "Succeeded"


def test_the_quota_of_a_region_is_used_up_by_services(azure: Deploying) -> None:
    place = (azure.workspace.subscription, azure.workspace.region)
    azure.world.part(Quotas).set(place, CONTAINERS, "StandardCores", limit=2)
    resources = {"cpu": 2, "memoryInGB": 1}

    first = azure.deployed("first", containerResourceRequirements=resources)
    refused = azure.deployed("second")
    remove(azure.book, "first")
    third = azure.deployed("third", containerResourceRequirements=resources)

    assert first.state == "Healthy"
    assert refused.error is not None
    assert refused.error["code"] == "ContainerGroupQuotaReached"
    assert third.state == "Healthy"


def test_a_taken_dns_label_is_refused_by_container_instances(azure: Deploying) -> None:
    azure.deployed("first", dnsNameLabel="label")

    second = azure.deployed("second", dnsNameLabel="label")

    assert second.error is not None
    assert second.error["code"] == "DnsNameLabelTaken"


def test_a_failed_service_keeps_its_name_until_it_is_deleted(azure: Deploying) -> None:
    azure.deployed(kvTags={"simulate": "crash-loop"})

    assert remove(azure.book, "svc") is None
    assert azure.deployed().state == "Healthy"


def test_a_deletion_can_fail_and_leaves_the_service(azure: Deploying) -> None:
    azure.deployed()
    azure.world.faults.add("delete-failure")

    started = remove(azure.book, "svc")
    azure.skip(A_DAY)

    assert started is not None
    assert azure.polled(started)["state"] == "Failed"
    assert azure.shown()["state"] == "Healthy"
    assert remove(azure.book, "svc") is None


def test_a_fault_of_a_tag_does_not_strike_later_updates(azure: Deploying) -> None:
    azure.deployed(kvTags={"simulate": "crash-loop"})

    azure.update("svc", description="fixed")
    azure.skip(A_DAY)

    assert azure.shown()["state"] == "Healthy"


def test_a_failed_update_of_a_cluster_leaves_the_old_pods(azure: Deploying) -> None:
    azure.cluster()
    azure.deployed(computeType="AKS", computeName="aks")

    azure.update("svc", kvTags={"simulate": "crash-loop"})
    azure.skip(A_DAY)

    assert azure.shown()["state"] == "Failed"
    assert azure.book.get("svc").is_serving
