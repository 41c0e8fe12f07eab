"""What each kind of child process may touch, and what the service shows of itself.

Loading a model is running its code, and a tracking server's answers are a stranger's:
both are handled in children that hold no secret and see only the paths named here.
"""

import base64
import ctypes
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from app.targets.confined import Rule, landlock_abi
from app.targets.system_calls import mlflow_calls, model_server_calls

IsolationLevel = Literal["landlock", "none"]

_PR_SET_DUMPABLE = 4
_PR_GET_SECCOMP = 21

# Of the service's own environment, what a child may have.
_INHERITED = ("LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "TZ", "LD_LIBRARY_PATH")

_SYSTEM_RULES: tuple[Rule, ...] = (
    *((path, "execute") for path in ("/usr/lib", "/usr/lib32", "/usr/lib64")),
    *((path, "execute") for path in ("/lib", "/lib64", "/usr/local/lib")),
    *((path, "read") for path in ("/etc/ld.so.cache", "/etc/localtime")),
    *((path, "read") for path in ("/etc/timezone", "/etc/mime.types")),
    *((path, "read") for path in ("/etc/ssl", "/usr/share/ca-certificates")),
    *((path, "read") for path in ("/usr/local/share/ca-certificates", "/etc/pki")),
    *((path, "read") for path in ("/usr/share/zoneinfo", "/usr/share/locale")),
    *((path, "read") for path in ("/proc/self", "/proc/cpuinfo", "/proc/meminfo")),
    *((path, "read") for path in ("/proc/stat", "/proc/version")),
    *((path, "read") for path in ("/proc/sys/vm", "/sys/devices/system/cpu")),
    # Libraries that find these files want to read how much of the machine is theirs.
    ("/sys/fs/cgroup", "read"),
    *((path, "device") for path in ("/dev/null", "/dev/zero")),
    *((path, "device") for path in ("/dev/random", "/dev/urandom")),
)

_RESOLVER_RULES: tuple[Rule, ...] = tuple(
    (f"/etc/{name}", "read")
    for name in ("resolv.conf", "hosts", "host.conf", "nsswitch.conf", "gai.conf")
)

_PACKAGE = Path(__file__).parents[1]

_OPEN_FILES = 4096
_PROCESSES = 4096
# MLflow and its libraries map 2 GiB; a server that answers without end gets no more.
_MLFLOW_ADDRESS_SPACE = 6 * 1024**3


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """What a child may do; see `app.targets.confined`, which applies it."""

    directory: Path
    rules: tuple[Rule, ...]
    connect_ports: tuple[int, ...] | None
    calls: bytes
    limits: Mapping[str, int]
    environment: Mapping[str, str]

    def encode(self) -> bytes:
        """Return it as the trampoline reads it, bound to this process as parent."""
        policy = {
            "parent": os.getpid(),
            "landlock": isolation_level() == "landlock",
            "directory": str(self.directory),
            "rules": self.rules,
            "connect_ports": self.connect_ports,
            "calls": base64.b64encode(self.calls).decode(),
            "limits": dict(self.limits),
            "environment": dict(self.environment),
        }
        return json.dumps(policy).encode()


@cache
def isolation_level() -> IsolationLevel:
    """Return how far a child is kept to its own files on this machine."""
    return "landlock" if landlock_abi() > 0 else "none"


def protect_this_process() -> None:
    """Keep other processes of this user out of this one's memory and descriptors."""
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "PR_SET_DUMPABLE was refused")


def model_server_policy(
    *, model: Path, work: Path, run: Path, environment: Mapping[str, str]
) -> Policy:
    """Return the policy for the process that loads `model`.

    It reads the interpreter and its model and writes to `work`, its home, and `run`,
    where its socket lies. It has no other socket and starts no process.
    `environment` is its deployment's own; ours goes before it.
    """
    rules = ((str(model), "read"), (str(work), "write"), (str(run), "write"))
    return Policy(
        directory=work,
        rules=(*_runtime_rules(), *rules),
        connect_ports=(),
        calls=_filtered(model_server_calls()),
        limits={"CORE": 0, "NOFILE": _OPEN_FILES, "NPROC": _PROCESSES},
        environment={**environment, **_base_environment(work)},
    )


def mlflow_policy(
    *, work: Path, stores: tuple[Path, ...], environment: Mapping[str, str]
) -> Policy:
    """Return the policy for a process that asks an MLflow store.

    It writes to `work`, its home, and to `stores`. Once it knows which store it is
    for, it restricts itself to that one.
    """
    return Policy(
        directory=work,
        rules=mlflow_rules(work, stores),
        connect_ports=None,
        calls=_filtered(mlflow_calls()),
        limits={"CORE": 0, "NOFILE": _OPEN_FILES, "AS": _MLFLOW_ADDRESS_SPACE},
        environment={
            **environment,
            **_base_environment(work),
            "PYTHONPATH": str(_PACKAGE.parent),
        },
    )


def mlflow_rules(work: Path, stores: tuple[Path, ...]) -> tuple[Rule, ...]:
    """Return what a process that asks an MLflow store may touch, `stores` included."""
    return (
        *_runtime_rules(),
        *_RESOLVER_RULES,
        # The import system lists the folder in which it looks for `app`.
        (str(_PACKAGE.parent), "list"),
        (str(_PACKAGE), "read"),
        *((str(path), "write") for path in (work, *stores)),
    )


def _runtime_rules() -> tuple[Rule, ...]:
    prefixes = {sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix}
    return (*((path, "execute") for path in sorted(prefixes)), *_SYSTEM_RULES)


def _filtered(program: bytes) -> bytes:
    """Return `program` where the kernel can filter calls at all, else nothing."""
    has_filters = ctypes.CDLL(None).prctl(_PR_GET_SECCOMP, 0, 0, 0, 0) >= 0
    return program if has_filters else b""


def _base_environment(work: Path) -> dict[str, str]:
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    own = {
        "HOME": "",
        "TMPDIR": "tmp",
        "XDG_CACHE_HOME": ".cache",
        "XDG_CONFIG_HOME": ".config",
        "XDG_DATA_HOME": ".local/share",
        "XDG_STATE_HOME": ".local/state",
        "MPLCONFIGDIR": ".config/matplotlib",
    }
    return {
        "LANG": "C.UTF-8",
        **inherited,
        **{name: str(work / path) for name, path in own.items()},
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.defpath}",
        "USER": "slipway",
        "LOGNAME": "slipway",
        # Without it joblib warns that it may not start processes.
        "JOBLIB_MULTIPROCESSING": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONNOUSERSITE": "1",
        "PYTHONUNBUFFERED": "1",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
    }
