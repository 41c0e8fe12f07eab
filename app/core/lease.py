"""The right to write at a target, which runs out by itself."""

from typing import Protocol


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
