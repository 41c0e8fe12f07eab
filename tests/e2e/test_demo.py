"""`slipway demo` as a user runs it: to its end, into a failure, and into Ctrl-C."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

_STEPS = 16


@pytest.fixture
def environment(server_dir: Path) -> dict[str, str]:
    """A temporary directory of the demo's own, in which whatever it leaves is seen.

    And settings for a service of the caller's, which are no business of the demo's.
    """
    others = {"SLIPWAY_PORT": "1", "SLIPWAY_DATABASE_URL": "postgresql://nobody"}
    return os.environ | others | {"TMPDIR": str(server_dir)}


@contextmanager
def demo(environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "app", "demo"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.terminate()


def left_of(environment: dict[str, str]) -> list[str]:
    """Return every file in the demo's place and every process that names it."""
    own = environment["TMPDIR"]
    commands = (path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline"))
    running = [one.decode() for one in commands if own.encode() in one]
    return [*(path.name for path in Path(own).iterdir()), *running]


def test_the_demo_succeeds_and_leaves_nothing(environment: dict[str, str]) -> None:
    with demo(environment) as process:
        out, err = process.communicate()

    assert process.returncode == 0, out + err
    assert [out.count(f"\n{number}. ") for number in range(1, _STEPS + 1)] == (
        [1] * _STEPS
    )
    assert "model pinned to models:/sklearn-model/1" in out
    assert "rolled back to revision 1" in out
    assert "deployed to aci, scored as" in out
    assert "deployed to aks, scored as" in out
    assert "nothing left at Azure but the" in out
    assert out.count("signature verified") > _STEPS
    assert "WRONG SIGNATURE" not in out
    assert left_of(environment) == []


def test_a_failure_is_told_with_the_service_s_log_and_leaves_nothing(
    environment: dict[str, str], tmp_path: Path
) -> None:
    broken = tmp_path / "sklearn"
    broken.mkdir()
    (broken / "__init__.py").write_text("raise ImportError('no sklearn today')")

    with demo(environment | {"PYTHONPATH": str(tmp_path)}) as process:
        _, err = process.communicate()

    assert process.returncode == 1
    assert "serve | " in err
    assert "The demo failed in step 2" in err
    assert "no sklearn today" in err
    assert left_of(environment) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demo_leaves_nothing(
    environment: dict[str, str], number: signal.Signals
) -> None:
    with demo(environment) as process:
        assert process.stdout is not None
        next(line for line in process.stdout if "up at" in line)
        process.send_signal(number)
        process.communicate()

    assert process.returncode == 130
    assert left_of(environment) == []
