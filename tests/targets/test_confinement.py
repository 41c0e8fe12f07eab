"""What a hostile model gets: nothing but its own directories and its one socket."""

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from typing_extensions import override

from app.targets import children
from app.targets.confined import NOT_STARTED
from app.targets.isolation import Policy, isolation_level
from tests.support import eventually
from tests.targets.jails import Jail, new_jail, unconfined

needs_landlock = pytest.mark.skipif(
    isolation_level() == "none", reason="this kernel has no Landlock"
)

# What must fail, beside the two last ones, and with what.
REFUSED = {
    "read_a_secret": "PermissionError",
    "read_a_secret_through_a_symlink": "PermissionError",
    "change_the_mode_of_a_secret": "PermissionError",
    "list_where_the_secret_is": "PermissionError",
    "read_the_environment_of_the_parent": "PermissionError",
    "write_outside": "PermissionError",
    "remove_a_secret": "PermissionError",
    "connect_to_a_port": "PermissionError",
    "listen_on_a_port": "PermissionError",
    "send_a_datagram": "PermissionError",
    "connect_to_a_unix_socket": "PermissionError",
    "signal_the_parent": "PermissionError",
    "trace_the_parent": "PermissionError",
    "limit_the_parent": "PermissionError",
    "fork": "PermissionError",
    "start_a_program": "PermissionError",
}
GRANTED = {"write_a_file_of_its_own", "catch_its_own_signal"}


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """Things beside the jail that a model would like to reach."""

    jail: Jail
    secret: Path
    environment: dict[str, str]


@pytest.fixture
def surroundings(short_path: Path) -> Iterator[Surroundings]:
    secret = short_path / "admin.key"
    outside = short_path / "outside"
    outside.mkdir()
    secret.write_text("hidden")
    secret.chmod(0o600)
    unix = short_path / "database.sock"
    with (
        socket.create_server(("127.0.0.1", 0)) as port,
        socket.socket(socket.AF_UNIX) as database,
    ):
        database.bind(str(unix))
        database.listen()
        environment = {
            "SECRET": str(secret),
            "OUTSIDE": str(outside),
            "PORT": str(port.getsockname()[1]),
            "UNIX_SOCKET": str(unix),
        }
        jail = new_jail(short_path / "jail")
        yield Surroundings(jail=jail, secret=secret, environment=environment)


@needs_landlock
async def test_a_hostile_model_gets_nothing(surroundings: Surroundings) -> None:
    outcomes = await surroundings.jail.report(
        "attempt_everything()", surroundings.environment
    )

    del outcomes["environment"]
    assert outcomes == {**REFUSED, **dict.fromkeys(GRANTED, "done")}
    assert surroundings.secret.read_text() == "hidden"
    assert surroundings.secret.stat().st_mode & 0o777 == 0o600


@needs_landlock
async def test_unconfined_the_same_attempts_succeed(
    surroundings: Surroundings,
) -> None:
    outcomes = await surroundings.jail.report(
        "attempt_everything()", surroundings.environment, change=unconfined
    )

    refused = {name for name, outcome in outcomes.items() if outcome != "done"}
    # Landlock itself keeps these three, whatever its rules are.
    kept = {"signal_the_parent", "trace_the_parent", "listen_on_a_port"}
    assert refused - kept <= {"environment", "read_the_environment_of_the_parent"}


async def test_a_child_has_no_right_of_root(surroundings: Surroundings) -> None:
    status = await surroundings.jail.report("Path('/proc/self/status').read_text()")

    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert {fields[f"Cap{name}"] for name in ("Inh", "Prm", "Eff", "Amb")} == {"0" * 16}
    assert fields["NoNewPrivs"] == "1"
    assert fields["Umask"] == "0077"


async def test_a_child_sees_only_the_environment_that_is_listed(
    surroundings: Surroundings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AZURE_CLIENT_SECRET", "SLIPWAY_KEY", "HTTP_PROXY", "PYTHONSTARTUP"):
        monkeypatch.setenv(name, "hidden")

    found = await surroundings.jail.report("sorted(os.environ)")

    allowed = {"PATH", "HOME", "TMPDIR", "USER", "LOGNAME", "TZ", "DO_NOT_TRACK"}
    prefixes = ("LANG", "LC_", "XDG_", "PYTHON", "MLFLOW_", "MPL", "JOBLIB_", "LD_")
    strange = {
        name for name in found if name not in allowed and not name.startswith(prefixes)
    }
    assert strange == set()
    assert "PYTHONSTARTUP" not in found


async def test_a_setting_of_the_model_does_not_reach_the_trampoline(
    surroundings: Surroundings,
) -> None:
    # A library of the model's own would run there before anything is taken away.
    library = surroundings.jail.model / "hostile.so"
    library.write_bytes(b"not a library")

    ended = await surroundings.jail.run(
        "", surroundings.jail.policy({"LD_PRELOAD": str(library)})
    )

    assert ended.status == 0
    said = [line for line in surroundings.jail.log.tail(9) if "LD_PRELOAD" in line]
    assert len(said) == 1


async def test_the_limits_hold(surroundings: Surroundings) -> None:
    names = ["RLIMIT_CORE", "RLIMIT_NOFILE", "RLIMIT_NPROC"]
    expression = f"[resource.getrlimit(getattr(resource, n)) for n in {names}]"

    limits = await surroundings.jail.report(expression)

    assert limits[0] == [0, 0]
    assert all(0 < soft == hard <= 4096 for soft, hard in limits[1:])


async def test_what_cannot_be_confined_is_not_started(short_path: Path) -> None:
    jail = new_jail(short_path)
    wrong = replace(jail.policy(), directory=short_path / "missing")

    ended = await jail.run("print('started')", wrong)

    assert ended.status == NOT_STARTED
    assert jail.log.tail(9)[0].startswith("confined: ")
    assert "started" not in jail.log.tail(9)


async def test_a_child_whose_parent_is_gone_is_not_started(short_path: Path) -> None:
    class OrphanPolicy(Policy):
        """Written for a process that is not the parent."""

        @override
        def encode(self) -> bytes:
            text = super().encode().decode()
            return text.replace(f'"parent": {os.getpid()}', '"parent": 1').encode()

    jail = new_jail(short_path)
    fields = {name: getattr(jail.policy(), name) for name in Policy.__slots__}

    ended = await jail.run("print('started')", OrphanPolicy(**fields))

    assert ended.status == NOT_STARTED


@needs_landlock
async def test_a_child_may_listen_on_its_own_socket(short_path: Path) -> None:
    jail = new_jail(short_path)
    address = short_path / "run" / "s"
    program = (
        "import socket, time;"
        f"s = socket.socket(socket.AF_UNIX); s.bind({str(address)!r}); s.listen();"
        "c, _ = s.accept(); c.sendall(b'hello')"
    )
    child = children.start([sys.executable, "-c", program], jail.policy(), log=jail.log)

    async def ask() -> bytes:
        try:
            reader, writer = await asyncio.open_unix_connection(address)
        except OSError:
            return b""
        said = await reader.read()
        writer.close()
        return said

    claim: Callable[[], bytes | Awaitable[bytes]] = ask
    said = await eventually(claim)
    await child.wait()

    assert said == b"hello"


def test_a_protected_process_cannot_be_read_by_others_of_its_user() -> None:
    program = (
        "import ctypes; from app.targets.isolation import protect_this_process;"
        "prctl = ctypes.CDLL(None).prctl; before = prctl(3, 0, 0, 0, 0);"
        "protect_this_process(); print(before, prctl(3, 0, 0, 0, 0))"
    )

    finished = subprocess.run(  # noqa: S603 - our own interpreter and program
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    # PR_GET_DUMPABLE
    assert finished.stdout.split() == ["1", "0"]
