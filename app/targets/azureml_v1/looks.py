"""One look at a service, as an observation: Azure's operation before its state."""

import re
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from app.core.target import Observation, ObservedPhase
from app.targets.azure_round import ServiceLook
from app.targets.azureml_v1.failures import operation_failed
from app.targets.azureml_v1.services import RUNNING, SUCCEEDED
from app.targets.plain_text import plain_text

_LINE = re.compile(r"(\d{14})\|(.*?)#(?=\d{14}\||$)", re.DOTALL)
_LONGEST_LINE = 500  # characters
_MOST_REMEMBERED = 5000  # operations, each a number

# Azure's word for a service's state, once no operation is at work on it.
_PHASES = {
    "healthy": ObservedPhase.READY,
    "unhealthy": ObservedPhase.UNREACHABLE,
    "failed": ObservedPhase.FAILED,
    "unschedulable": ObservedPhase.FAILED,
}


class Progress:
    """Which lines of each operation's log have been told."""

    def __init__(self) -> None:
        self._told: OrderedDict[str, int] = OrderedDict()

    def new_lines(self, operation: Mapping[str, Any]) -> str | None:
        """Return the lines since the last call, one a line; None if there are none."""
        lines = log_lines(operation)
        key = str(operation.get("id"))
        told = self._told.pop(key, 0)
        self._told[key] = max(told, len(lines))
        while len(self._told) > _MOST_REMEMBERED:
            self._told.popitem(last=False)
        return "\n".join(lines[told:]) or None


def log_lines(operation: Mapping[str, Any]) -> list[str]:
    """Return the lines of an operation's streaming log, without their times."""
    log = operation.get("streamingOperationLog")
    found = _LINE.findall(log) if isinstance(log, str) else []
    lines = (plain_text(text, longest=_LONGEST_LINE).strip() for _, text in found)
    return [line for line in lines if line]


def observation(look: ServiceLook, progress: Progress) -> Observation:
    """Return what a look says of the service, without the logs of a failure."""
    document, operation = look.service, look.operation
    if document is None:
        return Observation(phase=ObservedPhase.MISSING, raw_state="none")
    raw = _raw_state(document, operation)
    lines = None if operation is None else progress.new_lines(operation)
    phase, message = _phase(document, operation)
    failure = None
    if phase is ObservedPhase.FAILED:
        failure = operation_failed(_ended(document, operation)).failure
        message = failure.message
    return Observation(
        phase=phase,
        raw_state=raw,
        message=message,
        progress=lines,
        scoring_uri=_uri(document, "scoringUri"),
        swagger_uri=_uri(document, "swaggerUri"),
        failure=failure,
    )


def _phase(
    document: Mapping[str, Any], operation: Mapping[str, Any] | None
) -> tuple[ObservedPhase, str]:
    if operation is None and document.get("operationId"):
        # The state alone may be that of before the operation.
        return ObservedPhase.STARTING, ""
    if operation is not None:
        state = operation.get("state")
        if state in RUNNING:
            return ObservedPhase.STARTING, ""
        if state != SUCCEEDED:
            return ObservedPhase.FAILED, ""
    state = str(document.get("state", "")).lower()
    phase = _PHASES.get(state, ObservedPhase.STARTING)
    if phase is ObservedPhase.UNREACHABLE:
        return phase, "Azure finds the service unhealthy: it does not answer its probe."
    return phase, ""


def _ended(
    document: Mapping[str, Any], operation: Mapping[str, Any] | None
) -> Mapping[str, Any]:
    """Return what names the error: the operation, or the service where it does not."""
    if operation is not None and operation.get("state") != SUCCEEDED:
        error = operation.get("error") or document.get("error")
        return {**operation, "error": error}
    return document


def _raw_state(document: Mapping[str, Any], operation: Mapping[str, Any] | None) -> str:
    state = plain_text(str(document.get("state", "")), longest=_LONGEST_LINE)
    if operation is None or operation.get("state") == SUCCEEDED:
        return state
    details = operation.get("operationDetails")
    part = details.get("subOperationType") if isinstance(details, dict) else None
    named = " ".join(str(one) for one in (part, operation.get("state")) if one)
    return f"{state} ({plain_text(named, longest=_LONGEST_LINE)})"


def _uri(document: Mapping[str, Any], name: str) -> str | None:
    value = document.get(name)
    return value if isinstance(value, str) and value else None
