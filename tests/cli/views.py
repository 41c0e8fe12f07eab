"""Answers as the contract has them, built from the very views that the API shows."""

import dataclasses
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import TypeAdapter

from app.core.conditions import Condition, ConditionStatus, ConditionType
from app.core.failure import Blame, Evidence, Failure, FailureCode
from app.core.lifecycle import DeploymentState, OperationKind, OperationState, Phase
from app.core.specs import DeploymentSpec, LocalOptions, ModelSpec
from app.core.target import ResolvedModel
from app.core.view import (
    AzureView,
    DeploymentView,
    EventView,
    LatestOperationView,
    OperationView,
)

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
DEPLOYMENT_ID = "dep_1"
OPERATION_ID = "op_1"

_DEPLOYMENT = TypeAdapter(DeploymentView)
_OPERATION = TypeAdapter(OperationView)
_EVENT = TypeAdapter(EventView)


def failure(code: FailureCode, *, cause: str = "no module named nowhere") -> Failure:
    return Failure(
        code=code,
        message="The model could not be loaded.",
        cause=cause,
        remedy="Add the module to the model's requirements.",
        retryable=False,
        blame=Blame.CALLER,
        evidence=Evidence(log_tail=("loading", "ModuleNotFoundError: nowhere")),
    )


def operation(
    state: OperationState,
    *,
    kind: OperationKind = OperationKind.DEPLOY,
    phase: Phase | None = None,
    error: Failure | None = None,
) -> dict[str, Any]:
    view = OperationView(
        id=OPERATION_ID,
        kind=kind,
        deployment=DEPLOYMENT_ID,
        project="default",
        state=state,
        phase=phase,
        revision=1,
        retry_of=None,
        cancel_requested_at=None,
        started_at=None,
        finished_at=None,
        deadline_at=NOON + timedelta(hours=1),
        error=error,
        created_by="admin",
        created_at=NOON,
        links={},
    )
    return dict(_OPERATION.dump_python(view, mode="json"))


def deployment(
    state: DeploymentState = DeploymentState.LIVE,
    *,
    operation_state: OperationState = OperationState.SUCCEEDED,
    error: Failure | None = None,
    name: str = "diabetes",
) -> dict[str, Any]:
    serves = state in {DeploymentState.LIVE, DeploymentState.UPDATING}
    view = DeploymentView(
        id=DEPLOYMENT_ID,
        name=name,
        workspace="local",
        project="default",
        spec=DeploymentSpec(
            model=ModelSpec(uri="runs:/1/model"), target=LocalOptions(kind="local")
        ),
        state=state,
        conditions=(
            Condition(
                type=ConditionType.SERVING,
                status=ConditionStatus.TRUE if serves else ConditionStatus.FALSE,
                reason="TrafficShifted",
                message="all of it",
                last_transition_at=NOON,
            ),
        ),
        serving=serves or None,
        wanted_revision=1,
        serving_revision=1 if serves else None,
        scoring_uri="http://127.0.0.1:9/invocations" if serves else None,
        swagger_uri=None,
        model=ResolvedModel(name="m", version="7", uri="models:/m/7"),
        traffic=(),
        azure=AzureView(state=None, correlation_id=None),
        latest_operation=LatestOperationView(
            id=OPERATION_ID,
            kind=OperationKind.DEPLOY,
            state=operation_state,
            phase=None,
            error=error,
        ),
        created_by="admin",
        created_at=NOON,
        updated_at=NOON,
        links={},
    )
    return dict(_DEPLOYMENT.dump_python(view, mode="json"))


def accepted() -> dict[str, Any]:
    return deployment(DeploymentState.PENDING, operation_state=OperationState.QUEUED)


def events(
    end: OperationState = OperationState.SUCCEEDED,
    *,
    error: Failure | None = None,
    phases: Sequence[Phase] = (Phase.RESOLVE, Phase.DEPLOY),
) -> list[dict[str, Any]]:
    """Return what happens to one operation, a second from event to event."""
    told = [_told("deployment.accepted", operation(OperationState.QUEUED))]
    told += [
        _told(
            "deployment.phase_changed",
            operation(OperationState.RUNNING, phase=phase),
            detail=phase.value,
        )
        for phase in phases
    ]
    ends = {
        OperationState.SUCCEEDED: "deployment.live",
        OperationState.FAILED: "deployment.failed",
        OperationState.CANCELED: "deployment.canceled",
    }
    if end in ends:
        told.append(_told(ends[end], operation(end, error=error)))
    return [numbered(event, at) for at, event in enumerate(told, start=1)]


def numbered(event: EventView, sequence: int) -> dict[str, Any]:
    """Return `event` as number `sequence` of its deployment."""
    placed = dataclasses.replace(
        event,
        id=f"evt_{sequence}",
        sequence=sequence,
        timestamp=NOON + timedelta(seconds=sequence - 1),
    )
    return dict(_EVENT.dump_python(placed, mode="json"))


def _told(kind: str, about: dict[str, Any], *, detail: str | None = None) -> EventView:
    data: dict[str, Any] = {"deployment": deployment(), "operation": about}
    return EventView(
        id="",
        type=kind,
        timestamp=NOON,
        sequence=0,
        data=data if detail is None else {**data, "detail": detail},
    )
