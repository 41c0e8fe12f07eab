"""Child processes: watched, stopped, quoted, and never left behind."""

import asyncio
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typing_extensions import override

from app.targets import children
from app.targets.child_log import ChildLog
from app.targets.children import Exit
from tests.support import eventually
from tests.targets.jails import Jail, new_jail
from tests.targets.processes import entries, is_alive

_OWNER = Path(__file__).with_name("owner.py")
_SLEEPER = "import time; print('up', flush=True); time.sleep(600)"
_STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {_SLEEPER}"


@pytest.fixture
def jail(tmp_path: Path) -> Jail:
    return new_jail(tmp_path)


def _start(jail: Jail, program: str) -> children.Child:
    return children.start([sys.executable, "-c", program], jail.policy(), log=jail.log)


def _is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def _open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("", "it ended with status 0"),
        ("raise SystemExit(3)", "it ended with status 3"),
        ("import os; os.abort()", "it was killed by SIGABRT"),
        ("import os; os.kill(os.getpid(), 9)", "it was killed (SIGKILL)"),
    ],
)
async def test_it_is_told_how_a_child_ended(
    jail: Jail, program: str, words: str
) -> None:
    ended = await jail.run(program)

    assert words in ended.describe()


def test_a_signal_without_a_name_is_told_by_its_number() -> None:
    assert Exit(status=-64 - 1).describe() == "it was killed by signal 65"


async def test_all_that_a_child_printed_is_in_its_log_once_it_has_ended(
    jail: Jail,
) -> None:
    await jail.run("import sys; print('out'); print('err', file=sys.stderr)")

    assert sorted(jail.log.tail(9)) == ["err", "out"]


async def test_a_child_is_asked_to_stop_before_it_is_killed(jail: Jail) -> None:
    child = _start(jail, _SLEEPER)
    await eventually(lambda: jail.log.tail(1) == ["up"])

    ended = await child.stop(10)

    assert ended == Exit(status=-signal.SIGTERM)
    assert child.exit == ended


async def test_a_child_that_does_not_stop_is_killed(jail: Jail) -> None:
    child = _start(jail, _STUBBORN)
    await eventually(lambda: jail.log.tail(1) == ["up"])

    ended = await child.stop(0.1)

    assert ended == Exit(status=-signal.SIGKILL)


async def test_stopping_what_has_ended_is_success(jail: Jail) -> None:
    child = _start(jail, "raise SystemExit(3)")
    await child.wait()

    assert await child.stop(10) == Exit(status=3)
    child.kill()


async def test_an_ended_child_leaves_neither_a_zombie_nor_a_descriptor(
    jail: Jail,
) -> None:
    before = _open_descriptors()

    child = _start(jail, "")
    await child.wait()

    assert not is_alive(child.pid)
    assert _open_descriptors() == before


async def test_the_last_line_of_much_is_in_the_log_once_a_child_has_ended(
    jail: Jail,
) -> None:
    for number in range(5):
        await jail.run(f"print('x' * 300_000); print('end {number}')")

        assert jail.log.tail(1) == [f"end {number}"]


class CountingLog(ChildLog):
    """A log that counts what it is given."""

    written = 0

    @override
    def write(self, data: bytes) -> None:
        self.written += len(data)
        super().write(data)


async def test_printing_without_end_neither_fills_the_disk_nor_the_service(
    jail: Jail,
) -> None:
    log = CountingLog(jail.root / "log")
    program = "import os\nwhile True: os.write(1, b'x' * 65536)"
    argv = [sys.executable, "-c", program]
    child = children.start(argv, jail.policy(), log=log)
    await eventually(lambda: log.written > 0)
    started_at, before = time.monotonic(), log.written

    await eventually(lambda: log.written > before + 4 * 1024 * 1024)
    seconds = time.monotonic() - started_at
    await child.stop(0)

    # At full speed it is a matter of milliseconds.
    assert seconds > 0.9
    assert sum(path.stat().st_size for path in entries(jail.root)) < 2 * 1024 * 1024


def test_nothing_survives_the_kill_of_its_owner(tmp_path: Path) -> None:
    owner = subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, str(_OWNER), str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert owner.stdout is not None
    pids = [int(word) for word in owner.stdout.readline().split()]
    running = [pid for pid in pids if _is_running(pid)]

    owner.kill()
    owner.communicate()
    asyncio.run(eventually(lambda: not any(map(_is_running, pids))))

    assert len(running) == 2
