"""The seccomp filters: what Landlock does not cover is refused here.

Landlock, up to its version 7, lets a process connect to any Unix socket that it can
name, send UDP, start processes that outlive it, and change the mode of any file of its
user. A filter looks at a call's number and plain arguments only, so that is all it
judges. It answers with errors, never with signals: libraries that merely try (a look
for `lscpu`, a probe for IPv6) go on without.
"""

import errno
import platform
import socket
import struct
from collections.abc import Iterable
from dataclasses import dataclass

# linux/bpf_common.h, linux/seccomp.h, linux/sched.h
_LOAD = 0x20
_JUMP_IF_EQUAL = 0x15
_JUMP_IF_AT_LEAST = 0x35
_JUMP_IF_ANY_BIT = 0x45
_AND = 0x54
_RETURN = 0x06
_ALLOW = 0x7FFF0000
_FAIL = 0x00050000
_CLONE_THREAD = 0x00010000
# On x86-64, numbers from here on are those of the x32 interface.
_X32 = 0x40000000

# struct seccomp_data: number, architecture, instruction pointer, six arguments.
_NUMBER = 0
_ARCHITECTURE = 4
_FIRST_ARGUMENT = 16
_SECOND_ARGUMENT = 24
_SOCKET_TYPE = 0xF


@dataclass(frozen=True, kw_only=True, slots=True)
class _Machine:
    """The numbers that one architecture gives to the calls."""

    architecture: int
    clone: int
    socket: int
    connect: int
    # Starting processes, looking into others, kernel keys, new namespaces, memory and
    # queues of other processes, access lists, other processes' priority.
    refused: tuple[int, ...]
    # Calls that take a process as first argument, where 0 is the caller itself.
    own_alone: tuple[int, ...]
    # Changing a file's mode: the server does that to its socket, and libraries to what
    # they copy. It is answered as done, since in a private directory it means nothing.
    pretended: tuple[int, ...]


# The newer calls have one number everywhere: pidfd_getfd, process_madvise,
# process_mrelease, setxattrat, removexattrat, and io_uring's three, which would make
# all the other calls past this filter.
_REFUSED_EVERYWHERE = (438, 440, 448, 463, 466, 425, 426, 427)
_FCHMODAT2 = 452
_CLONE3 = 435

_MACHINES = {
    "x86_64": _Machine(
        architecture=0xC000003E,
        clone=56,
        socket=41,
        connect=42,
        refused=(
            *(57, 58),  # fork, vfork
            *(101, 310, 311, 312),  # ptrace, process_vm_readv, _writev, kcmp
            *(248, 249, 250),  # add_key, request_key, keyctl
            *(272, 308),  # unshare, setns
            *(298, 321, 323),  # perf_event_open, bpf, userfaultfd
            *(29, 30, 31, 64, 65, 66, 220),  # shmget, shmat, shmctl, sem…
            *(68, 69, 70, 71),  # msgget, msgsnd, msgrcv, msgctl
            *(188, 189, 190, 197, 198, 199),  # setxattr…, removexattr…
            *(141, 251),  # setpriority, ioprio_set
        ),
        # sched_setparam, _setscheduler, _setaffinity, _setattr, prlimit64
        own_alone=(142, 144, 203, 314, 302),
        pretended=(90, 91, 268),  # chmod, fchmod, fchmodat
    ),
    "aarch64": _Machine(
        architecture=0xC00000B7,
        clone=220,
        socket=198,
        connect=203,
        refused=(
            *(117, 270, 271, 272),
            *(217, 218, 219),
            *(97, 268),
            *(241, 280, 282),
            *(194, 196, 195, 190, 193, 191, 192),
            *(186, 189, 188, 187),
            *(5, 6, 7, 14, 15, 16),
            *(140, 30),
        ),
        own_alone=(118, 119, 122, 274, 261),
        pretended=(52, 53),
    ),
}


def model_server_calls() -> bytes:
    """Return a filter for a process that answers on a Unix stream socket.

    It starts no process and connects to nobody: it is one process to the end. Empty
    on a machine whose numbers are not known here.
    """
    return _filter([socket.AF_UNIX], may_connect=False)


def mlflow_calls() -> bytes:
    """Return a filter for a process that speaks to a tracking server.

    It starts no process and has no Unix socket, whoever listens there.
    """
    # Netlink is how the C library learns which address families are in use.
    families = [socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK]
    return _filter(families, may_connect=True)


def _filter(families: Iterable[int], *, may_connect: bool) -> bytes:
    machine = _MACHINES.get(platform.machine())
    if machine is None:
        return b""
    refused = (*machine.refused, *_REFUSED_EVERYWHERE)
    parts = [
        _load(_ARCHITECTURE),
        _jump(_JUMP_IF_EQUAL, machine.architecture, yes=1, no=0),
        _fail(errno.EPERM),
        _load(_NUMBER),
        _jump(_JUMP_IF_AT_LEAST, _X32, yes=0, no=1),
        _fail(errno.EPERM),
        *(_refuse(number, errno.EPERM) for number in refused),
        *(_refuse(number, 0) for number in (*machine.pretended, _FCHMODAT2)),
        # The C library then falls back to clone, whose flags can be read.
        _refuse(_CLONE3, errno.ENOSYS),
        *([] if may_connect else [_refuse(machine.connect, errno.EACCES)]),
        *(_own_alone(number) for number in machine.own_alone),
        _threads_only(machine.clone),
        _sockets_of(families, machine.socket),
        _return(_ALLOW),
    ]
    return b"".join(parts)


def _refuse(number: int, error: int) -> bytes:
    return _jump(_JUMP_IF_EQUAL, number, yes=0, no=1) + _fail(error)


def _own_alone(number: int) -> bytes:
    verdict = [
        _load(_FIRST_ARGUMENT),
        _jump(_JUMP_IF_EQUAL, 0, yes=1, no=0),
        _fail(errno.EPERM),
        _return(_ALLOW),
    ]
    return _when(number, verdict)


def _threads_only(clone: int) -> bytes:
    verdict = [
        _load(_FIRST_ARGUMENT),
        _jump(_JUMP_IF_ANY_BIT, _CLONE_THREAD, yes=1, no=0),
        _fail(errno.EPERM),
        _return(_ALLOW),
    ]
    return _when(clone, verdict)


def _sockets_of(families: Iterable[int], socket_call: int) -> bytes:
    verdict = [_load(_FIRST_ARGUMENT)]
    for family in families:
        # Datagrams to a Unix socket (the system's log) need no connect.
        kind = socket.SOCK_STREAM if family == socket.AF_UNIX else None
        verdict.append(_allow_family(family, kind))
    return _when(socket_call, [*verdict, _fail(errno.EACCES)])


def _allow_family(family: int, kind: int | None) -> bytes:
    allow = [_return(_ALLOW)]
    if kind is not None:
        allow = [
            _load(_SECOND_ARGUMENT),
            _instruction(_AND, _SOCKET_TYPE),
            _jump(_JUMP_IF_EQUAL, kind, yes=0, no=1),
            _return(_ALLOW),
            _fail(errno.EACCES),
        ]
    return _jump(_JUMP_IF_EQUAL, family, yes=0, no=len(allow)) + b"".join(allow)


def _when(number: int, verdict: list[bytes]) -> bytes:
    """Return `verdict`, which always returns, for this call alone."""
    code = b"".join(verdict)
    count = len(code) // len(_return(0))
    return _jump(_JUMP_IF_EQUAL, number, yes=0, no=count) + code


def _load(offset: int) -> bytes:
    return _instruction(_LOAD, offset)


def _fail(error: int) -> bytes:
    return _return(_FAIL | error)


def _return(value: int) -> bytes:
    return _instruction(_RETURN, value)


def _jump(code: int, value: int, *, yes: int, no: int) -> bytes:
    return struct.pack("HBBI", code, yes, no, value)


def _instruction(code: int, value: int) -> bytes:
    return struct.pack("HBBI", code, 0, 0, value)
