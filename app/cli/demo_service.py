"""A `slipway serve` of the demo's own: started, stopped, and proven to be gone."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from app.cli.demo_processes import Family
from app.cli.demo_waiting import comes_true
from app.core.errors import AppError, OperatorError

_START_SECONDS = 120.0
_STOP_SECONDS = 60.0
_GONE_SECONDS = 10.0
_POLL_SECONDS = 0.05
_ANNOUNCED = "Slipway serves at "
_TAIL_LINES = 40


class DemoService:
    """One service with a directory to itself; `data_dir` is all that it keeps."""

    def __init__(self, directory: Path) -> None:
        self.data_dir = directory / "data"
        self._output = directory / "serve.out"
        self._log = directory / "serve.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._family = Family(self.data_dir)

    def start(self, azure: Mapping[str, str]) -> str:
        """Return the URL at which the started service accepts requests.

        `azure` is what leads the service's Azure traffic to where it is to go.
        """
        with self._output.open("wb") as output, self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "app", "serve"],
                env=self._environment() | dict(azure),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=log,
                # Ctrl-C is the demo's alone: it stops the service in order.
                start_new_session=True,
            )
        self._family.found(self._process.pid)
        if not comes_true(lambda: self._url() or self._has_ended(), _START_SECONDS):
            raise AppError(f"The service did not start in {_START_SECONDS:g} s.")
        url = self._url()
        if url is None:
            raise AppError("The service ended instead of starting.")
        return url

    def stop(self) -> None:
        """Stop it by SIGTERM; raises AppError unless it ends well and leaves nobody."""
        if self._process is None:
            return
        self._family.look_around()
        self._process.send_signal(signal.SIGTERM)
        try:
            status = self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired as error:
            raise AppError(
                f"The service did not stop within {_STOP_SECONDS:g} s of SIGTERM."
            ) from error
        if status != 0:
            raise AppError(f"The service ended with the status {status}.")
        if not comes_true(lambda: not self._family.alive(), _GONE_SECONDS):
            left = ", ".join(self._family.alive().values())
            raise AppError(f"Processes are left running: {left}.")

    def end(self) -> None:
        """Leave no process behind, whatever went wrong before."""
        if self._process is None:
            return
        self._family.look_around()
        if not self._has_ended():
            self._process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_STOP_SECONDS)
        comes_true(lambda: not self._family.alive(), _POLL_SECONDS)
        for pid in self._family.alive():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait()

    def log_tail(self) -> list[str]:
        """Return the last lines that the service wrote, oldest first."""
        if not self._log.exists():
            return []
        text = self._log.read_text(encoding="utf-8", errors="replace")
        return text.splitlines()[-_TAIL_LINES:]

    def _environment(self) -> dict[str, str]:
        # Nothing that the caller has set for a service of their own applies here.
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.upper().startswith("SLIPWAY_")
        }
        return inherited | {
            "SLIPWAY_DATA_DIR": str(self.data_dir),
            "SLIPWAY_DATABASE_URL": "",
            "SLIPWAY_HOST": "127.0.0.1",
            "SLIPWAY_PORT": "0",
            "SLIPWAY_WEBHOOK_ALLOW_HTTP": "true",
            "SLIPWAY_WEBHOOK_ALLOWED_CIDRS": "127.0.0.0/8",
            "PYTHONUNBUFFERED": "1",
        }

    def _has_ended(self) -> bool:
        return self._process is not None and self._process.poll() is not None

    def _url(self) -> str | None:
        for line in self._output.read_text(encoding="utf-8").splitlines():
            if line.startswith(_ANNOUNCED):
                return line.removeprefix(_ANNOUNCED).strip()
        return None


@contextmanager
def own_directory() -> Iterator[Path]:
    """Yield a new directory, and remove it with everything in it.

    Others may pass through it and not look in: as root, PostgreSQL has an account
    of its own, whose directory lies below.
    """
    try:
        directory = Path(tempfile.mkdtemp(prefix="slipway-demo-")).resolve()
    except OSError as error:
        raise OperatorError(
            f"No temporary directory can be made: {error.strerror}.",
            remedy="Set TMPDIR to a directory that this user may write to.",
        ) from error
    try:
        if os.geteuid() == 0:
            directory.chmod(0o711)
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)
