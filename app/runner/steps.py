"""What one step makes of an operation's records, worked out before it is written."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from app.core.conditions import Condition, ConditionStatus, ConditionType, merge
from app.core.deployment import Operation
from app.core.event import DeploymentStarted, EventType
from app.core.lifecycle import (
    DeploymentState,
    OperationKind,
    OperationState,
    check_deployment_move,
    check_operation_move,
)
from app.runner.work import Subject
from app.services.context import Context
from app.services.events import tell
from app.storage.database import Transaction
from app.storage.deployments import DeploymentValues
from app.storage.events import NewEvent
from app.storage.operations import OperationValues
from app.storage.steps import Standing

# A condition as the phases tell it: type, whether it holds, reason, message.
ConditionTuple = tuple[ConditionType, bool | None, str, str]

_STATUSES = {
    True: ConditionStatus.TRUE,
    False: ConditionStatus.FALSE,
    None: ConditionStatus.UNKNOWN,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """A change of operation and deployment, the events of it and what goes beside.

    `also` is called in the step's transaction with the deployment's id.
    """

    operation: OperationValues = field(default_factory=OperationValues)
    epoch: int | None = None
    deployment: DeploymentValues = field(default_factory=DeploymentValues)
    conditions: Sequence[ConditionTuple] = ()
    happened: Sequence[EventType] = ()
    also: Callable[[Transaction, str], Awaitable[None]] | None = None


def take(
    context: Context, subject: Subject, step: Step
) -> tuple[Subject, list[NewEvent]]:
    """Return the subject as `step` makes it, and the events as they are to be written.

    Every step raises the deployment's version by one and its sequence by the number
    of its events. Raises IllegalMoveError for a state that cannot follow.
    """
    now = context.clock.now()
    before, standing = subject.deployment, subject.operation
    deployment = replace(
        before,
        **step.deployment,
        version=before.version + 1,
        sequence=before.sequence + len(step.happened),
        updated_at=now,
    )
    if step.conditions:
        observed = [_condition(item, now) for item in step.conditions]
        deployment = replace(deployment, conditions=merge(before.conditions, observed))
    epoch = standing.epoch if step.epoch is None else step.epoch
    operation = replace(standing, **step.operation, epoch=epoch)
    check_deployment_move(before.state, deployment.state)
    check_operation_move(standing.state, operation.state)
    taken = replace(subject, deployment=deployment, operation=operation)
    told = tell(context, deployment, operation=operation, happened=step.happened)
    return taken, told


def taking_up(context: Context, found: Standing) -> Step:
    """Return the step with which a worker makes an operation its own."""
    operation = found.operation
    values = OperationValues(state=OperationState.RUNNING)
    if operation.started_at is None:
        values["started_at"] = context.clock.now()
    epoch = operation.epoch + 1
    return Step(
        operation=values,
        epoch=epoch,
        deployment=_values_at_start(found.deployment.state, operation.kind),
        happened=[DeploymentStarted(detail=_how_started(operation, epoch))],
    )


def _values_at_start(state: DeploymentState, kind: OperationKind) -> DeploymentValues:
    if kind in {OperationKind.DELETE, OperationKind.REGENERATE}:
        return DeploymentValues()
    match state:
        case DeploymentState.PENDING:
            return DeploymentValues(state=DeploymentState.DEPLOYING)
        case DeploymentState.LIVE:
            return DeploymentValues(state=DeploymentState.UPDATING)
        case _:
            return DeploymentValues()


def _how_started(operation: Operation, epoch: int) -> str:
    if epoch == 1:
        return "a worker took the operation up"
    phase = operation.phase.value if operation.phase is not None else "the start"
    return f"a worker took the operation up again, at {phase}"


def _condition(item: ConditionTuple, at: datetime) -> Condition:
    kind, holds, reason, message = item
    return Condition(
        type=kind,
        status=_STATUSES[holds],
        reason=reason,
        message=message,
        last_transition_at=at,
    )
