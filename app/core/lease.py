"""The right to write at a target, which runs out by itself."""

from typing import Protocol

from app.core.errors import AppError


class LeaseLostError(AppError):
    """The time in which this worker may write at a target has run out."""

    code = "lease_lost"
    title = "This worker's lease has run out"


class Lease(Protocol):
    """Time in which nobody else can have taken this worker's operations over.

    Ask just before each write at a target and give the write no longer a timeout
    than what is left: then a worker that was frozen starts none when it wakes up.
    A child process is told the seconds and counts them down on its own.
    """

    def remaining_seconds(self) -> float:
        """Return what is left, never below zero; it may grow between two calls."""
        ...

    def check(self) -> None:
        """Return while some time is left; raise LeaseLostError after that."""
        ...
