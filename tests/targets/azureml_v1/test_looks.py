"""Azure's two accounts of a service, its own state and its operation's, as one."""

from typing import Any

import pytest

from app.core.failure import FailureCode
from app.core.target import ObservedPhase
from app.targets.azure_round import ServiceLook
from app.targets.azureml_v1.looks import Progress, log_lines, observation

_P = ObservedPhase
_LOG = "20261122190000|Building image.#20261122190100|Step #2 of 3#"


def _look(state: str | None, operation: dict[str, Any] | None) -> ServiceLook:
    service = None
    if state is not None:
        service = {
            "name": "one",
            "state": state,
            "operationId": "op" if operation is not None else None,
            "scoringUri": "http://one.example.com/score",
        }
    return ServiceLook(
        service=service,
        operation=operation,
        age_seconds=0,
        operation_age_seconds=0,
    )


@pytest.mark.parametrize(
    ("state", "operation", "phase"),
    [
        (None, None, _P.MISSING),
        ("Transitioning", None, _P.STARTING),
        ("Healthy", None, _P.READY),
        ("Unhealthy", None, _P.UNREACHABLE),
        ("Failed", None, _P.FAILED),
        ("Unschedulable", None, _P.FAILED),
        ("Healthy", "NotStarted", _P.STARTING),
        ("Healthy", "Running", _P.STARTING),
        ("Healthy", "Succeeded", _P.READY),
        ("Transitioning", "Succeeded", _P.STARTING),
        ("Transitioning", "Failed", _P.FAILED),
        ("Transitioning", "TimedOut", _P.FAILED),
        ("Transitioning", "Cancelled", _P.FAILED),
        ("Healthy", "Failed", _P.FAILED),
        ("Failed", "Succeeded", _P.FAILED),
        ("something new", "Succeeded", _P.STARTING),
    ],
)
def test_the_operation_is_believed_before_the_state(
    state: str | None, operation: str | None, phase: ObservedPhase
) -> None:
    document = None if operation is None else {"id": "op", "state": operation}

    seen = observation(_look(state, document), Progress())

    assert seen.phase is phase
    assert (seen.failure is not None) == (phase is _P.FAILED)


def test_a_state_of_before_the_operation_is_not_believed() -> None:
    look = ServiceLook(
        service={"state": "Healthy", "operationId": "op"},
        operation=None,
        age_seconds=0,
        operation_age_seconds=None,
    )

    assert observation(look, Progress()).phase is _P.STARTING


@pytest.mark.parametrize(
    ("state", "code"),
    [
        ("TimedOut", FailureCode.TARGET_TIMED_OUT),
        ("Cancelled", FailureCode.TARGET_CANCELED),
    ],
)
def test_an_end_without_an_error_is_told_by_its_state(
    state: str, code: FailureCode
) -> None:
    seen = observation(_look("Failed", {"id": "op", "state": state}), Progress())

    assert seen.failure is not None
    assert seen.failure.code is code


def test_the_error_of_the_service_serves_where_the_operation_has_none() -> None:
    look = _look("Failed", {"id": "op", "state": "Failed", "error": None})
    assert look.service is not None
    look.service["error"] = {"code": "CrashLoopBackOff", "message": "It crashed."}

    seen = observation(look, Progress())

    assert seen.failure is not None
    assert seen.failure.code is FailureCode.CONTAINER_CRASHED
    assert seen.failure.cause == "It crashed."


def test_each_line_of_the_log_is_told_once() -> None:
    progress = Progress()
    first = {"id": "op", "state": "Running", "streamingOperationLog": _LOG}
    more = f"{_LOG}20261122190200|Pushing.#"

    told = [
        observation(_look("Transitioning", operation), progress).progress
        for operation in (first, first, {**first, "streamingOperationLog": more})
    ]

    assert told == ["Building image.\nStep #2 of 3", None, "Pushing."]


def test_a_new_operation_begins_a_new_log() -> None:
    progress = Progress()
    first = {"id": "op", "state": "Running", "streamingOperationLog": _LOG}

    for each in (first, {**first, "id": "op-2"}):
        seen = observation(_look("Transitioning", each), progress)
        assert seen.progress == "Building image.\nStep #2 of 3"


@pytest.mark.parametrize("log", [None, "", "no line at all", 7, "2026|short#"])
def test_a_log_that_is_none_has_no_lines(log: object) -> None:
    assert log_lines({"streamingOperationLog": log}) == []


def test_the_raw_state_says_what_azure_is_at() -> None:
    operation = {
        "id": "op",
        "state": "Running",
        "operationDetails": {"subOperationType": "BuildEnvironment"},
    }

    seen = observation(_look("Transitioning", operation), Progress())

    assert seen.raw_state == "Transitioning (BuildEnvironment Running)"
