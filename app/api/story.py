"""One deployment's story: the snapshots from which every example is taken."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from app.core.conditions import Condition, ConditionStatus, ConditionType
from app.core.deployment import Deployment, Operation, Revision, Traffic
from app.core.failure import Blame, Evidence, Failure, FailureCode
from app.core.lifecycle import DeploymentState, OperationKind, OperationState, Phase
from app.core.specs import DeploymentSpec, LocalOptions, ModelSpec
from app.core.target import ResolvedModel
from app.core.workspace import AzureMlWorkspace, Limits, MlflowWorkspace, Workspace

BASE = "https://slipway.example.com"
STARTED_AT = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
ENDED_AT = STARTED_AT + timedelta(seconds=9)
DEPLOYMENT = "dep_01kanzq4w0e5m3xk7r2c9v8b1t"
OPERATION = "op_01kanzq4w0f6n4ym8s3d0w9c2v"
MODEL = ResolvedModel(
    name="diabetes-model-1-model",
    version="3",
    uri="models:/diabetes-model-1-model/3",
)
SPEC = DeploymentSpec(
    model=ModelSpec(uri="runs:/0f5e1c7a9b3d4e6f8a2b4c6d8e0f1a3b/model"),
    target=LocalOptions(kind="local"),
    description="Diabetes model",
    tags={"method": "sklearn"},
)
AZUREML_IDENTITY = AzureMlWorkspace(
    kind="azureml",
    subscription_id="5d2c1f0e-8b7a-4c6d-9e3f-2a1b0c9d8e7f",
    resource_group="ml",
    workspace_name="prod",
    region="eastus2",
    credential="default",
)
_SERVING = frozenset({DeploymentState.LIVE, DeploymentState.UPDATING})
_STATE_OF_OPERATION: Mapping[DeploymentState, OperationState] = {
    DeploymentState.PENDING: OperationState.QUEUED,
    DeploymentState.DEPLOYING: OperationState.RUNNING,
    DeploymentState.LIVE: OperationState.SUCCEEDED,
    DeploymentState.UPDATING: OperationState.RUNNING,
    DeploymentState.FAILED: OperationState.FAILED,
    DeploymentState.CANCELED: OperationState.CANCELED,
    DeploymentState.DELETING: OperationState.RUNNING,
    DeploymentState.DELETED: OperationState.SUCCEEDED,
}


def deployment(state: DeploymentState) -> Deployment:
    """Return the deployment in `state`."""
    serves = state in _SERVING
    scoring_uri = "http://127.0.0.1:41873/invocations" if serves else None
    condition = Condition(
        type=ConditionType.SERVING,
        status=ConditionStatus.TRUE if serves else ConditionStatus.FALSE,
        reason="Scored" if serves else "NothingServes",
        last_transition_at=ENDED_AT,
    )
    return Deployment(
        id=DEPLOYMENT,
        project="default",
        workspace_id="ws_01kanzq4w0g7p5zn9t4e1x0d3w",
        workspace="prod",
        name="diabetes-model-1",
        endpoint_key="local/default/prod/diabetes-model-1",
        state=state,
        spec=SPEC,
        conditions=(condition,),
        serving=serves,
        wanted_revision=1,
        serving_revision=1 if serves else None,
        last_revision=1,
        version=7,
        sequence=7,
        scoring_uri=scoring_uri,
        swagger_uri=None,
        model=MODEL,
        traffic=(Traffic(revision=1, percent=100, azure_name="r1"),) if serves else (),
        azure_state=None,
        latest_operation_id=OPERATION,
        webhook_id=None,
        created_by="ci",
        created_at=STARTED_AT,
        updated_at=ENDED_AT,
    )


def latest_operation(state: DeploymentState) -> Operation:
    """Return the operation that brought the deployment into `state`."""
    return operation(_STATE_OF_OPERATION[state], kind=_kind(state))


def operation(
    state: OperationState, *, kind: OperationKind = OperationKind.DEPLOY
) -> Operation:
    """Return an operation in `state`."""
    errors = {
        OperationState.FAILED: failure(FailureCode.MODEL_LOAD_FAILED),
        OperationState.CANCELED: failure(FailureCode.CANCELED),
    }
    return Operation(
        id=OPERATION,
        project="default",
        deployment_id=DEPLOYMENT,
        workspace_id="ws_01kanzq4w0g7p5zn9t4e1x0d3w",
        endpoint_key="local/default/prod/diabetes-model-1",
        kind=kind,
        state=state,
        phase=Phase.DEPLOY if state is OperationState.RUNNING else None,
        epoch=1,
        spec_version=1,
        revision=1,
        previous_revision=None,
        keep_at_target=False,
        retry_of=None,
        error=errors.get(state),
        cancel_requested_at=None,
        deadline_at=STARTED_AT + timedelta(hours=1),
        admitted_at=STARTED_AT,
        started_at=None if state is OperationState.QUEUED else STARTED_AT,
        finished_at=ENDED_AT if state.is_terminal else None,
        created_by="ci",
        created_at=STARTED_AT,
    )


def failure(code: FailureCode) -> Failure:
    """Return why an operation ended with `code`."""
    if code is FailureCode.MODEL_LOAD_FAILED:
        line = "ModuleNotFoundError: No module named 'sklearn'"
        return Failure(
            code=code,
            message="The model could not be loaded.",
            cause=line,
            remedy="Log the model with all of its requirements, and deploy it again.",
            retryable=False,
            blame=Blame.CALLER,
            evidence=Evidence(log_tail=("Traceback (most recent call last):", line)),
        )
    is_callers = code in {FailureCode.CANCELED, FailureCode.SUPERSEDED}
    return Failure(
        code=code,
        message=f"The operation ended: {code.replace('_', ' ')}.",
        remedy="Read `cause` and `evidence`, then retry the operation.",
        retryable=not is_callers,
        blame=Blame.CALLER if is_callers else Blame.SLIPWAY,
    )


def revision() -> Revision:
    """Return the deployment's first revision."""
    return Revision(
        deployment_id=DEPLOYMENT,
        number=1,
        spec=SPEC,
        slot="r1",
        model=MODEL,
        handle=None,
        project="default",
        created_by="ci",
        created_at=STARTED_AT,
    )


def workspace() -> Workspace:
    """Return the workspace in which it all happens."""
    return Workspace(
        id="ws_01kanzq4w0g7p5zn9t4e1x0d3w",
        name="prod",
        project="default",
        identity=MlflowWorkspace(tracking_uri="https://mlflow.example.com"),
        limits=Limits(concurrent_operations=10),
        projects=None,
        created_by="admin",
        created_at=STARTED_AT,
        updated_at=STARTED_AT,
    )


def _kind(state: DeploymentState) -> OperationKind:
    match state:
        case DeploymentState.UPDATING:
            return OperationKind.UPDATE
        case DeploymentState.DELETING | DeploymentState.DELETED:
            return OperationKind.DELETE
        case _:
            return OperationKind.DEPLOY
