"""As root, PostgreSQL runs under an account of its own; else under the service's."""

import fcntl
import os
import pwd
import shutil
from pathlib import Path

from app.core.errors import OperatorError
from app.storage.postgres.programs import Account, own_account, run

ACCOUNT_NAME = "slipway-postgres"

_USERADD_ARGUMENTS = (
    "--system",
    "--user-group",
    "--no-create-home",
    "--home-dir=/nonexistent",
    "--shell=/usr/sbin/nologin",
    ACCOUNT_NAME,
)
_TEST_TIMEOUT_SECONDS = 10.0


def find_account() -> Account:
    """Return whom PostgreSQL runs as: PostgreSQL itself refuses root.

    As root this is the system user `slipway-postgres`, made where it is missing;
    raises OperatorError where it can be neither found nor made.
    """
    if os.geteuid() != 0:
        return own_account()
    return _look_up() or _create()


def require_reachable(directory: Path, account: Account) -> None:
    """Raise OperatorError, naming the first obstacle, unless `account` gets in.

    Nobody's mode is changed: opening a directory is for its owner to decide.
    """
    if account.is_own or _can_enter(directory, account):
        return
    for parent in (*reversed(directory.parents), directory):
        if not _can_enter(parent, account):
            raise OperatorError(
                f"PostgreSQL runs as the user {ACCOUNT_NAME}, which may not pass "
                f"through {parent} to the data directory {directory}.",
                remedy="Set SLIPWAY_DATA_DIR to a directory that it can reach, such "
                f"as /var/lib/slipway, or let it pass: `chgrp {ACCOUNT_NAME} {parent}` "
                f"and `chmod g+x {parent}`.",
            )


def _look_up() -> Account | None:
    try:
        entry = pwd.getpwnam(ACCOUNT_NAME)
    except KeyError:
        return None
    return Account(uid=entry.pw_uid, gid=entry.pw_gid)


def _create() -> Account:
    # Two services that start together may both find no account, and useradd would
    # let the second change the uid of the first one's.
    lock = os.open("/etc", os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        account = _look_up()
        if account is None:
            _run_useradd()
            account = _look_up()
    finally:
        os.close(lock)
    if account is None:
        raise _no_account(f"useradd made no user {ACCOUNT_NAME}.")
    return account


def _run_useradd() -> None:
    search_path = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"
    useradd = shutil.which("useradd", path=search_path)
    if useradd is None:
        raise _no_account("There is no useradd on this machine.")
    try:
        run([useradd, *_USERADD_ARGUMENTS], own_account())
    except OperatorError as error:
        raise _no_account(error.detail) from error


def _no_account(reason: str) -> OperatorError:
    return OperatorError(
        "PostgreSQL refuses to run as root, and the user for it cannot be made: "
        f"{reason}",
        remedy="Run Slipway as an ordinary user, make the user by hand "
        f"(useradd {' '.join(_USERADD_ARGUMENTS)}), or set SLIPWAY_DATABASE_URL.",
    )


def _can_enter(directory: Path, account: Account) -> bool:
    # Asked of the kernel, as that user: mode bits alone know nothing of ACLs.
    try:
        run(
            ["/bin/sh", "-c", 'test -x "$1"', "sh", str(directory)],
            account,
            timeout_seconds=_TEST_TIMEOUT_SECONDS,
        )
    except OperatorError:
        return False
    return True
