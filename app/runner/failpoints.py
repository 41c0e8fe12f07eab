"""Named places at which a test kills the process, to prove that all ends right.

Off unless SLIPWAY_FAILPOINT names one: the process then sends itself SIGKILL there,
as an out-of-memory killer or a lost machine would.
"""

import os
import signal

_VARIABLE = "SLIPWAY_FAILPOINT"


def reach(name: str) -> None:
    """Die here if this is the place that was asked for; otherwise do nothing."""
    if os.environ.get(_VARIABLE) == name:
        os.kill(os.getpid(), signal.SIGKILL)
