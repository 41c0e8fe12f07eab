"""Services over simulated time."""

from collections.abc import Callable

import pytest

from app.simulator.errors import AzureError
from app.simulator.service_access import regenerate
from app.simulator.service_removal import remove
from tests.simulator.deploying import A_DAY, Deploying, deploying, reasons


@pytest.fixture
def azure() -> Deploying:
    return deploying({"image-build": 360, "service-create": 100})


def test_a_service_goes_from_transitioning_to_healthy(azure: Deploying) -> None:
    started = azure.create()
    seen = []
    for seconds in (0, 200, 200, 100):
        azure.skip(seconds)
        told = azure.polled(started)
        sub = told["operationDetails"] and told["operationDetails"]["subOperationType"]
        seen.append((told["state"], sub, azure.shown()["state"]))

    assert seen == [
        ("NotStarted", None, "Transitioning"),
        ("Running", "BuildEnvironment", "Transitioning"),
        ("Running", "DeployService", "Transitioning"),
        ("Succeeded", "DeployService", "Healthy"),
    ]


def test_the_log_goes_on_from_the_offset_that_was_read(azure: Deploying) -> None:
    started = azure.create()
    azure.skip(10)
    first = azure.polled(started)["streamingOperationLog"]

    azure.skip(A_DAY)

    rest = azure.polled(started, len(first))["streamingOperationLog"]
    whole = azure.polled(started)["streamingOperationLog"]
    assert first.endswith("|Building image..#")
    assert rest.startswith(whole[len(first) :][:14])
    assert first + rest == whole


def test_an_image_that_was_built_is_used_again(azure: Deploying) -> None:
    first = azure.create("first")
    azure.skip(A_DAY)

    second = azure.create("second")

    assert second.plan.seconds < first.plan.seconds - 350
    azure.skip(10)
    log = azure.polled(second)["streamingOperationLog"]
    assert "Use the existing image." in log


def test_another_environment_is_built_anew(azure: Deploying) -> None:
    first = azure.create("first")
    azure.skip(A_DAY)
    other = {"environment": {"python": {"condaDependencies": {}}}, "modelIds": []}

    second = azure.create("second", environmentImageRequest=other)

    assert second.plan.seconds == first.plan.seconds


def test_a_taken_name_is_a_conflict(azure: Deploying) -> None:
    azure.create()

    with pytest.raises(AzureError) as refused:
        azure.create()

    assert refused.value.status == 409
    assert "ServiceExists" in reasons(refused.value)


def test_a_second_operation_waits_for_no_first(azure: Deploying) -> None:
    azure.create(authEnabled=True)

    seconds: tuple[Callable[[], object], ...] = (
        lambda: azure.update("svc", description="x"),
        lambda: azure.create(overwrite=True),
        lambda: remove(azure.book, "svc"),
        lambda: regenerate(azure.book, "svc", "Primary", None),
    )
    for second in seconds:
        with pytest.raises(AzureError) as refused:
            second()
        assert refused.value.status == 409
        assert "ServiceOperationInProgress" in reasons(refused.value)


def test_overwriting_keeps_the_keys_and_the_address(azure: Deploying) -> None:
    before = azure.deployed(authEnabled=True)
    kept = before.keys.primary, before.scoring_uri

    after = azure.deployed(authEnabled=True, overwrite=True, description="new")

    assert (after.keys.primary, after.scoring_uri) == kept
    assert azure.shown()["description"] == "new"


def test_a_service_of_a_cluster_is_deleted_by_an_operation(azure: Deploying) -> None:
    azure.cluster()
    azure.deployed(computeType="AKS", computeName="aks")

    started = remove(azure.book, "svc")
    assert started is not None
    during = azure.polled(started)["state"]
    azure.skip(A_DAY)

    assert during == "Running"
    assert azure.polled(started)["state"] == "Succeeded"
    assert azure.book.find("svc") is None


def test_a_key_is_replaced_when_the_operation_is_over(azure: Deploying) -> None:
    record = azure.deployed(authEnabled=True)
    before = record.keys.primary

    regenerate(azure.book, "svc", "Primary", "chosen")
    during = azure.book.get("svc").keys.primary
    azure.skip(A_DAY)

    assert during == before
    assert azure.book.get("svc").keys.primary == "chosen"


def test_what_is_left_out_gets_azures_defaults(azure: Deploying) -> None:
    azure.cluster()
    azure.create("on-aci")
    azure.create("on-aks", computeType="AKS", computeName="aks")

    aci, aks = azure.shown("on-aci"), azure.shown("on-aks")

    assert (aci["containerResourceRequirements"]["cpu"], aci["authEnabled"]) == (
        0.1,
        False,
    )
    assert aci["location"] == azure.workspace.region
    assert aks["authEnabled"] is True
    assert aks["autoScaler"]["autoscaleEnabled"] is True
    assert aks["autoScaler"]["maxReplicas"] == 10
    assert aks["livenessProbeRequirements"]["initialDelaySeconds"] == 310


def test_a_field_that_the_simulator_does_not_know_is_kept(azure: Deploying) -> None:
    azure.create(somethingNew={"a": 1})

    assert azure.shown()["somethingNew"] == {"a": 1}


def test_no_secret_is_shown(azure: Deploying) -> None:
    azure.create(
        keys={"primaryKey": "secret-1"},
        sslEnabled=True,
        sslCertificate="certificate",
        sslKey="secret-2",
        cname="models.example.com",
    )

    assert "secret" not in str(azure.shown())


def test_a_service_of_others_is_shown_as_planted_but_for_its_changes(
    azure: Deploying,
) -> None:
    document: dict[str, object] = {"name": "odd", "computeType": "ACI", "kvTags": {}}
    azure.book.plant("odd", document)

    before = azure.shown("odd")
    azure.update("odd", kvTags={"mine": "now"})
    azure.skip(A_DAY)

    assert before == document
    assert azure.shown("odd") == {**document, "kvTags": {"mine": "now"}}
