"""How a command ended, as tests see it."""

from collections.abc import Callable
from dataclasses import dataclass

KEY = "slw_test"


@dataclass(frozen=True, kw_only=True, slots=True)
class Finished:
    """The exit status, and what was printed."""

    status: int
    out: str
    err: str


Slipway = Callable[..., Finished]
