"""A `slipway simulator` of the demo's own: Azure, in compressed time."""

import re
import shlex
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from app.cli.demo_waiting import comes_true
from app.core.errors import AppError

_START_SECONDS = 60.0
_STOP_SECONDS = 20.0
# Twenty minutes for a cluster become five seconds.
_SPEED = 240
_EXPORT = re.compile(r"^\s*export ([A-Z_]+)=(.*)$", re.MULTILINE)
_WORKSPACE = re.compile(r"^Workspace:\s+(/subscriptions/\S+/prod)$", re.MULTILINE)


class DemoSimulator:
    """One simulator; what it prints says how it is reached."""

    def __init__(self, directory: Path) -> None:
        self._output = directory / "simulator.out"
        self._ca_file = directory / "azure-ca.pem"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Return once it accepts connections."""
        options = ("--port", "0", "--speed", str(_SPEED), "--run-models")
        command = [sys.executable, "-m", "app", "simulator", *options]
        with self._output.open("wb") as output:
            self._process = subprocess.Popen(  # noqa: S603 - our own module
                [*command, "--ca-file", str(self._ca_file)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        if not comes_true(self._is_up, _START_SECONDS):
            raise AppError(f"The simulator did not start in {_START_SECONDS:g} s.")
        if self._process.poll() is not None:
            raise AppError("The simulator ended instead of starting.")

    @property
    def environment(self) -> dict[str, str]:
        """What leads an Azure SDK to it, as it printed it."""
        found = _EXPORT.findall(self._printed())
        return {name: shlex.split(value)[0] for name, value in found}

    @property
    def workspace_id(self) -> str:
        """The ARM id of its workspace `prod`."""
        found = _WORKSPACE.search(self._printed())
        if found is None:
            raise AppError("The simulator named no workspace `prod`.")
        return found.group(1)

    def end(self) -> None:
        """Leave nothing of it running, whatever went wrong before."""
        if self._process is None:
            return
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_STOP_SECONDS)
        self._process.kill()
        self._process.wait()

    def _is_up(self) -> bool:
        # The exports are printed last, in one go with a line break at the end.
        has_ended = self._process is not None and self._process.poll() is not None
        return has_ended or "MLFLOW_DISABLE_TELEMETRY=true\n" in self._printed()

    def _printed(self) -> str:
        return self._output.read_text(encoding="utf-8", errors="replace")
