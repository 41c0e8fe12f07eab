"""Those who wait for one round of a poller, and what they are told."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from app.core.failure import TargetError
from app.targets.azure_services import Service

_ENDED = frozenset({"succeeded", "failed", "cancelled", "canceled", "timedout"})


@dataclass(frozen=True, kw_only=True, slots=True)
class ServiceLook:
    """What one look found; `service` is None if there is none of that name.

    Both are JSON as Azure wrote it. `operation` is the service's latest, None if it
    has none or it was not looked at yet. The ages are what they have in this moment.
    """

    service: dict[str, Any] | None
    operation: dict[str, Any] | None
    age_seconds: float
    operation_age_seconds: float | None


# Who waits for a look, by the service's name.
Waiting = dict[str, list[asyncio.Future[ServiceLook]]]


@dataclass(slots=True)
class SeenOperation:
    """An operation as it was seen last; one that has ended never changes again."""

    document: dict[str, Any]
    seen_at: float

    @property
    def has_ended(self) -> bool:
        """Say whether it has ended, in whichever of Azure's spellings."""
        return str(self.document.get("state", "")).lower() in _ENDED


@dataclass(slots=True)
class Round:
    """Those who wait for one round, and what its list found."""

    waiting: Waiting
    found: dict[str, Service] = field(default_factory=dict)
    listed_at: float = 0.0

    def tell(self, name: str, look: ServiceLook) -> None:
        """Tell whoever waits for the service `name`."""
        for future in self.waiting[name]:
            if not future.done():
                future.set_result(look)

    def refuse(self, name: str, error: TargetError) -> None:
        """Tell whoever waits for the service `name`, each by an error of its own."""
        for future in self.waiting[name]:
            if not future.done():
                future.set_exception(_copy(error))

    def fail(self, error: TargetError) -> None:
        """Tell everybody who still waits."""
        for name in self.waiting:
            self.refuse(name, error)


def still_waiting(waiting: Waiting) -> Waiting:
    """Return those who were not canceled while they waited."""
    kept = {
        name: [future for future in futures if not future.done()]
        for name, futures in waiting.items()
    }
    return {name: futures for name, futures in kept.items() if futures}


def _copy(error: TargetError) -> TargetError:
    return TargetError(
        error.failure,
        transient=error.transient,
        retry_after_seconds=error.retry_after_seconds,
    )
