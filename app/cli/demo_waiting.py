"""Waiting in the demo, for what its own processes do."""

import threading
import time
from collections.abc import Callable

_POLL_SECONDS = 0.05


def comes_true(claim: Callable[[], object], seconds: float) -> bool:
    """Return whether `claim` came true within about `seconds`."""
    deadline = time.monotonic() + seconds
    while not claim():
        if time.monotonic() > deadline:
            return False
        threading.Event().wait(_POLL_SECONDS)
    return True
