"""Conditions: single observed facts beside a deployment's state."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class ConditionType(StrEnum):
    """The facts that Slipway keeps about every deployment."""

    MODEL_READY = "ModelReady"
    PROVISIONED = "Provisioned"
    REACHABLE = "Reachable"
    VERIFIED = "Verified"
    SERVING = "Serving"
    DRIFTED = "Drifted"
    STALLED = "Stalled"


class ConditionStatus(StrEnum):
    """Whether the fact holds; Unknown is an honest answer."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, kw_only=True, slots=True)
class Condition:
    """One fact: `reason` is a stable CamelCase word, `message` is for people."""

    type: ConditionType
    status: ConditionStatus
    reason: str
    message: str = ""
    last_transition_at: datetime


def merge(
    current: Iterable[Condition], observed: Iterable[Condition]
) -> tuple[Condition, ...]:
    """Return `current` with `observed` put over it, in the order of the types.

    A condition whose status did not change keeps its time of transition.
    """
    merged = {condition.type: condition for condition in current}
    for new in observed:
        old = merged.get(new.type)
        kept_at = (
            old.last_transition_at
            if old is not None and old.status == new.status
            else new.last_transition_at
        )
        merged[new.type] = Condition(
            type=new.type,
            status=new.status,
            reason=new.reason,
            message=new.message,
            last_transition_at=kept_at,
        )
    return tuple(merged[kind] for kind in ConditionType if kind in merged)
