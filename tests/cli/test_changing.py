"""The verbs that change a deployment, deploy aside."""

import json

import pytest

from app.core.failure import FailureCode
from app.core.lifecycle import DeploymentState, OperationKind, OperationState
from tests.cli.running import Slipway
from tests.cli.service import PROBLEM, Answer, Service, Stream
from tests.cli.views import accepted, deployment, events, failure, operation

PATH = "/v1/workspaces/local/deployments/diabetes"
NAMED = ("diabetes", "--workspace", "local")


def end_as(service: Service, end: OperationState) -> None:
    """Script what every verb reads, and one operation that ends as `end`."""
    error = None if end is OperationState.SUCCEEDED else failure(FailureCode.CANCELED)
    service.on(f"GET {PATH}", Answer(body=deployment()))
    service.on(
        "GET /v1/deployments/dep_1/events", Stream(events=events(end, error=error))
    )
    service.on("GET /v1/deployments/dep_1", Answer(body=deployment()))


def test_a_rollback_names_its_revision_and_is_made_once(
    service: Service, slipway: Slipway
) -> None:
    end_as(service, OperationState.SUCCEEDED)
    rollback = "POST /v1/deployments/dep_1/rollback"
    service.on(rollback, Answer(status=202, body=accepted()))

    finished = slipway("rollback", *NAMED, "--revision", "1")

    [request] = service.seen(rollback)
    assert finished.status == 0
    assert request.json() == {"revision": 1}
    assert request.headers["idempotency-key"]


def test_a_rollback_to_what_serves_says_that_there_is_nothing_to_do(
    service: Service, slipway: Slipway
) -> None:
    end_as(service, OperationState.SUCCEEDED)
    service.on("POST /v1/deployments/dep_1/rollback", Answer(body=deployment()))

    finished = slipway("rollback", *NAMED, "--revision", "1")

    assert finished.status == 0
    assert "already is as asked" in finished.err
    assert service.seen("GET /v1/deployments/dep_1/events") == []


def test_a_delete_ends_when_the_deployment_is_gone(
    service: Service, slipway: Slipway
) -> None:
    end_as(service, OperationState.SUCCEEDED)
    gone = deployment(DeploymentState.DELETED)
    service.on(f"DELETE {PATH}", Answer(status=202, body=accepted()))
    service.script["GET /v1/deployments/dep_1"] = [Answer(body=gone)]

    finished = slipway("delete", *NAMED)

    assert finished.status == 0
    assert "local/diabetes is deleted" in finished.out


def test_canceling_succeeds_when_the_operation_is_canceled(
    service: Service, slipway: Slipway
) -> None:
    end_as(service, OperationState.CANCELED)
    running = operation(OperationState.RUNNING)
    service.on("POST /v1/operations/op_1/cancel", Answer(status=202, body=running))

    finished = slipway("cancel", *NAMED)

    assert finished.status == 0
    assert "could not be loaded" not in finished.err


def test_a_cancel_that_came_too_late_fails(service: Service, slipway: Slipway) -> None:
    end_as(service, OperationState.SUCCEEDED)
    running = operation(OperationState.RUNNING)
    service.on("POST /v1/operations/op_1/cancel", Answer(status=202, body=running))

    finished = slipway("cancel", *NAMED)

    assert finished.status == 1


def test_a_cancel_of_what_has_ended_is_refused(
    service: Service, slipway: Slipway
) -> None:
    end_as(service, OperationState.SUCCEEDED)
    problem = {"detail": "The operation has already succeeded.", "remedy": "Roll back."}
    service.on(
        "POST /v1/operations/op_1/cancel",
        Answer(status=409, body=problem, media_type=PROBLEM),
    )

    finished = slipway("cancel", *NAMED)

    assert finished.status == 2
    assert finished.err.splitlines()[:2] == [
        "slipway: The operation has already succeeded.",
        "         Roll back.",
    ]


def test_a_retry_follows_the_new_operation(service: Service, slipway: Slipway) -> None:
    end_as(service, OperationState.SUCCEEDED)
    renamed = json.loads(json.dumps(events()).replace("op_1", "op_2"))
    service.script["GET /v1/deployments/dep_1/events"] = [Stream(events=renamed)]
    new = operation(OperationState.QUEUED, kind=OperationKind.UPDATE) | {"id": "op_2"}
    service.on("POST /v1/operations/op_1/retry", Answer(status=202, body=new))

    finished = slipway("retry", *NAMED)

    assert finished.status == 0
    assert "op_2 succeeded" in finished.out


@pytest.mark.parametrize("verb", ["rollback", "delete", "cancel", "retry"])
def test_an_unknown_name_is_told_as_the_service_says_it(
    service: Service, slipway: Slipway, verb: str
) -> None:
    problem = {"detail": "There is no such deployment.", "remedy": "Check the name."}
    missing = Answer(status=404, body=problem, media_type=PROBLEM)
    service.on(f"GET {PATH}", missing)
    service.on(f"DELETE {PATH}", missing)
    more = ("--revision", "1") if verb == "rollback" else ()

    finished = slipway(verb, *NAMED, *more)

    assert finished.status == 2
    assert "There is no such deployment." in finished.err


def test_a_workspace_is_put_with_its_store(service: Service, slipway: Slipway) -> None:
    service.on("PUT /v1/workspaces/lab", Answer(body={"name": "lab"}))

    finished = slipway("workspaces", "put", "lab", "--tracking-uri", "http://mlflow")

    [request] = service.seen("PUT /v1/workspaces/lab")
    assert finished.status == 0
    assert request.json() == {"kind": "mlflow", "tracking_uri": "http://mlflow"}


def test_a_workspace_of_azure_is_put_with_its_place(
    service: Service, slipway: Slipway
) -> None:
    service.on("PUT /v1/workspaces/prod", Answer(body={"name": "prod"}))
    place = ("--subscription-id", "s", "--resource-group", "ml")
    more = ("--workspace-name", "w", "--region", "eastus2", "--project", "red")

    finished = slipway("workspaces", "put", "prod", *place, *more)

    [request] = service.seen("PUT /v1/workspaces/prod")
    assert finished.status == 0
    assert request.json() == {
        "kind": "azureml",
        "subscription_id": "s",
        "resource_group": "ml",
        "workspace_name": "w",
        "region": "eastus2",
        "projects": ["red"],
    }


@pytest.mark.parametrize(
    "given", [(), ("--tracking-uri", "http://mlflow", "--region", "eastus2")]
)
def test_a_workspace_is_of_exactly_one_kind(
    service: Service, slipway: Slipway, given: tuple[str, ...]
) -> None:
    finished = slipway("workspaces", "put", "prod", *given)

    assert finished.status == 2
    assert service.requests == []
