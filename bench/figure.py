"""What a row answers with."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One line of the table."""

    what: str
    measured: str
    goal: str


# A row is given the URL of a server in which it makes databases of its own.
Row = Callable[[str], Awaitable[list[Figure]]]
