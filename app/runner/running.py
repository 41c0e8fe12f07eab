"""What the engine and a job's handler know of one another."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Concatenate

from app.core.lease import Lease


class AbortReason(StrEnum):
    """Why a running job was canceled."""

    USER_REQUEST = "user_request"  # Somebody wants it to look at its record again.
    SHUTDOWN = "shutdown"  # The process ends; another goes on with the job.
    LOST = "lost"  # Others hold this process for dead and have its jobs.


@dataclass(frozen=True, kw_only=True, slots=True)
class RunningJob:
    """One run of one job, as its handler sees it.

    The engine cancels the handler's task; `abort_reason` says why. After a user's
    request the handler may catch the cancellation, call `task.uncancel()` and take
    the time it needs; the other two reasons ask it to return. A cancellation that
    is not answered in either way is repeated after a few seconds.
    """

    id: int
    lease: Lease
    find_reason: Callable[[], AbortReason | None]

    @property
    def abort_reason(self) -> AbortReason | None:
        """Why the job was canceled, or `None` while it was not."""
        return self.find_reason()


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskDefinition:
    """A handler under the name and the queue that its jobs carry.

    A handler that returns ends its job. One that lets a cancellation through has it
    started anew: at once after a user's request, by another process after a
    shutdown; without `retry_on_shutdown` its job just ends. An error ends the job
    as failed; nothing is retried, for the record decides what comes next.

    Keep a name for ever: a worker of the release before fails jobs it has no name
    for.
    """

    name: str
    queue: str
    handler: Callable[Concatenate[RunningJob, ...], Awaitable[None]]
    retry_on_shutdown: bool = True
