"""The trampoline: takes rights away from its process, then becomes another program.

Run as `python -I -S confined.py -- argv…` with a policy as JSON on standard input, by
`app.targets.children` alone; `app.targets.isolation` writes the policies. Either all
of the policy holds when `argv` starts, or it does not start: status 126, the reason
on standard error. It needs nothing but the standard library, so it is up in 20 ms.

A process may call `restrict` again later, to give up more of what it still has.
"""

import base64
import contextlib
import ctypes
import json
import os
import resource
import signal
import stat
import struct
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

NOT_STARTED = 126

# linux/prctl.h
_PR_SET_PDEATHSIG = 1
_PR_SET_SECCOMP = 22
_PR_CAPBSET_DROP = 24
_PR_SET_NO_NEW_PRIVS = 38
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_CLEAR_ALL = 4
_SECCOMP_MODE_FILTER = 2
_CAPABILITY_VERSION_3 = 0x20080522

# linux/landlock.h; the numbers of the calls are the same on every architecture.
_CREATE_RULESET = 444
_ADD_RULE = 445
_RESTRICT_SELF = 446
_RULESET_VERSION = 1
_RULE_PATH = 1
_RULE_PORT = 2
_BIND_TCP = 1
_CONNECT_TCP = 2
_SCOPE_ABSTRACT_SOCKETS = 1
_SCOPE_SIGNALS = 2

_EXECUTE = 1 << 0
_WRITE_FILE = 1 << 1
_READ_FILE = 1 << 2
_READ_DIR = 1 << 3
_MAKE_CHAR = 1 << 6
_MAKE_BLOCK = 1 << 11
_TRUNCATE = 1 << 14
_IOCTL_DEV = 1 << 15
_FILE_RIGHTS = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV

# How many file rights each version of the kernel's interface knows.
_RIGHTS_BY_ABI = {1: 13, 2: 14, 3: 15, 4: 15}
_RIGHTS_NOW = 16
_ABI_WITH_PORTS = 4
_ABI_WITH_SCOPES = 6

_EVERYTHING = (1 << _RIGHTS_NOW) - 1
ACCESS = {
    "list": _READ_DIR,
    "read": _READ_FILE | _READ_DIR,
    "execute": _READ_FILE | _READ_DIR | _EXECUTE,
    "device": _READ_FILE | _WRITE_FILE,
    # Not to start programs from there, nor to make devices.
    "write": _EVERYTHING & ~(_EXECUTE | _MAKE_CHAR | _MAKE_BLOCK | _IOCTL_DEV),
}

Rule = tuple[str, str]
"""A path and one of the names of ACCESS; a path that does not exist is left out."""


def landlock_abi() -> int:
    """Return the version of the kernel's Landlock, 0 where it has none."""
    try:
        return _syscall(_CREATE_RULESET, None, 0, _RULESET_VERSION)
    except OSError:
        return 0


def restrict(rules: Iterable[Rule], connect_ports: Iterable[int] | None) -> None:
    """Keep this thread, and all that it starts, to `rules` for ever.

    TCP: no listening, and connections to `connect_ports` alone (None: to any). Nobody
    outside can be signaled. Does nothing without Landlock. Raises OSError.
    """
    abi = landlock_abi()
    if abi == 0:
        return
    rights = (1 << _RIGHTS_BY_ABI.get(abi, _RIGHTS_NOW)) - 1
    ports = _BIND_TCP if connect_ports is None else _BIND_TCP | _CONNECT_TCP
    attributes = struct.pack("Q", rights)
    if abi >= _ABI_WITH_PORTS:
        attributes += struct.pack("Q", ports)
    if abi >= _ABI_WITH_SCOPES:
        attributes += struct.pack("Q", _SCOPE_ABSTRACT_SOCKETS | _SCOPE_SIGNALS)
    ruleset = _syscall(_CREATE_RULESET, attributes, len(attributes), 0)
    for path, access in rules:
        _allow_path(ruleset, path, ACCESS[access] & rights)
    for port in connect_ports or () if abi >= _ABI_WITH_PORTS else ():
        rule = struct.pack("QQ", _CONNECT_TCP, port)
        _syscall(_ADD_RULE, ruleset, _RULE_PORT, rule, 0)
    _syscall(_RESTRICT_SELF, ruleset, 0)
    os.close(ruleset)


def main() -> None:
    """Apply the policy on standard input and become the program after `--`."""
    policy = json.loads(sys.stdin.buffer.read())
    argv = sys.argv[sys.argv.index("--") + 1 :]
    try:
        _confine(policy)
        os.chdir(policy["directory"])
        os.execve(argv[0], argv, policy["environment"])  # noqa: S606 - no shell wanted
    except (OSError, ValueError) as error:
        sys.stderr.write(f"confined: {argv[0]} was not started: {error}\n")
        sys.exit(NOT_STARTED)


def _confine(policy: dict[str, Any]) -> None:
    _use_null_as_input()
    _die_with(policy["parent"])
    os.umask(0o077)
    # When memory runs out the model goes, not the service.
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("500", encoding="ascii")
    for name, value in policy["limits"].items():
        _limit(getattr(resource, f"RLIMIT_{name}"), value)
    _drop_bounding_set()
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    if policy["landlock"]:
        restrict(map(tuple, policy["rules"]), policy["connect_ports"])
    _drop_capabilities()
    if policy["calls"]:
        _filter_calls(base64.b64decode(policy["calls"]))


def _use_null_as_input() -> None:
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)


def _die_with(parent: int) -> None:
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    # It may have died before the kernel was asked to tell.
    if os.getppid() != parent:
        raise ValueError("the process that asked for it is gone")


def _limit(kind: int, value: int) -> None:
    _, hard = resource.getrlimit(kind)
    allowed = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (allowed, allowed))


def _drop_bounding_set() -> None:
    _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)
    # Only who has CAP_SETPCAP may; no_new_privs keeps the rest from coming back.
    with contextlib.suppress(PermissionError):
        last = int(Path("/proc/sys/kernel/cap_last_cap").read_text(encoding="ascii"))
        for capability in range(last + 1):
            _prctl(_PR_CAPBSET_DROP, capability)


def _drop_capabilities() -> None:
    header = struct.pack("Ii", _CAPABILITY_VERSION_3, 0)
    _checked(_libc().capset(header, bytes(24)))


def _filter_calls(program: bytes) -> None:
    instructions = ctypes.create_string_buffer(program, len(program))
    count = len(program) // 8
    # struct sock_fprog, whose pointer is aligned by the native format.
    filters = struct.pack("HP", count, ctypes.addressof(instructions))
    _prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, filters)


def _allow_path(ruleset: int, path: str, rights: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return
    try:
        if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
            rights &= _FILE_RIGHTS
        rule = struct.pack("=Qi", rights, descriptor)
        _syscall(_ADD_RULE, ruleset, _RULE_PATH, rule, 0)
    finally:
        os.close(descriptor)


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _syscall(number: int, *arguments: int | bytes | None) -> int:
    return _checked(_libc().syscall(ctypes.c_long(number), *_wide(arguments)))


def _prctl(option: int, *arguments: int | bytes) -> int:
    padding = (0,) * (4 - len(arguments))
    return _checked(_libc().prctl(option, *_wide((*arguments, *padding))))


def _wide(values: Sequence[int | bytes | None]) -> list[Any]:
    # Varargs are read as 64 bits; an int alone would be passed as 32.
    return [ctypes.c_ulong(one) if isinstance(one, int) else one for one in values]


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


if __name__ == "__main__":
    main()
