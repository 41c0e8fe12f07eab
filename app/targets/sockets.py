"""A directory for Unix sockets, whose addresses the kernel keeps short."""

import hashlib
import os
import stat
import tempfile
from pathlib import Path

from app.core.errors import OperatorError

# struct sockaddr_un holds 108 bytes with the closing NUL; a run directory's name of
# 12 characters and a socket's of one come after ours.
_LONGEST = 107 - len("/0123456789ab/s")
_OURS_ALONE = 0o700


def socket_directory(usual: Path) -> Path:
    """Return a private directory for sockets: below `usual`, or below the system's.

    It is the latter where `usual` is too long for the addresses in it, and then the
    same one each time. Raises OperatorError if somebody else has made that one.
    """
    wanted = usual / "run"
    if len(os.fsencode(wanted)) <= _LONGEST:
        return wanted
    digest = hashlib.sha256(os.fsencode(usual)).hexdigest()[:12]
    path = Path(tempfile.gettempdir()) / f"slipway-{os.geteuid()}-{digest}"
    path.mkdir(mode=_OURS_ALONE, exist_ok=True)
    status = path.lstat()
    is_directory = stat.S_ISDIR(status.st_mode)
    is_private = is_directory and stat.S_IMODE(status.st_mode) == _OURS_ALONE
    if not is_private or status.st_uid != os.geteuid():
        raise OperatorError(
            f"The directory {path} belongs to somebody else.",
            remedy="Remove it, or choose a shorter SLIPWAY_DATA_DIR.",
        )
    return path
