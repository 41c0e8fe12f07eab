"""Scripts of a service that more than one test module plays."""

from app.core.failure import Failure
from app.core.lifecycle import DeploymentState, OperationState
from tests.cli.service import Answer, Service, Stream
from tests.cli.views import accepted, deployment, events

PATH = "/v1/workspaces/local/deployments/diabetes"
DEPLOY = ("deploy", "diabetes", "--workspace", "local", "--model", "runs:/1/model")


def accept(
    service: Service,
    end: OperationState = OperationState.SUCCEEDED,
    *,
    error: Failure | None = None,
) -> None:
    """Script a PUT that is accepted and an operation that ends as `end`."""
    state = DeploymentState.LIVE if error is None else DeploymentState.FAILED
    service.on(f"PUT {PATH}", Answer(status=202, body=accepted()))
    service.on(
        "GET /v1/deployments/dep_1/events", Stream(events=events(end, error=error))
    )
    service.on(
        "GET /v1/deployments/dep_1",
        Answer(body=deployment(state, operation_state=end, error=error)),
    )
