"""A simulator of a test's own, and the real SDKs in child processes that use it."""

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.simulator.server import Simulator, running
from app.simulator.settings import SimulatorSettings

_SCRIPT_SECONDS = 100


@asynccontextmanager
async def running_simulator(
    *,
    speed: float = 1.0,
    run_models: bool = False,
    rate_limits: bool = True,
    control_token: str | None = None,
    latencies: Mapping[str, float] | None = None,
) -> AsyncIterator[Simulator]:
    settings = SimulatorSettings(
        speed=speed,
        run_models=run_models,
        rate_limits=rate_limits,
        control_token=control_token,
        latencies=latencies or {},
    )
    async with running(settings) as simulator:
        yield simulator


def sdk_environment(simulator: Simulator, home: Path | None = None) -> dict[str, str]:
    """Everything that a child process with a real SDK needs, and nothing of ours."""
    directory = home or Path(tempfile.mkdtemp(dir=simulator.ca_file.parent))
    return {
        **simulator.environment(),
        "HOME": str(directory),
        "TMPDIR": str(directory),
        "PATH": os.environ["PATH"],
        "AZUREML_LOG_DEPRECATION_WARNING_ENABLED": "False",
        "AZUREML_DEFAULT_RETRIES": "0",
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
        "PYTHONWARNINGS": "ignore",
    }


@dataclass(frozen=True, kw_only=True, slots=True)
class Ran:
    """How a script ended; `told` is the JSON that it printed last."""

    code: int
    out: str
    err: str

    @property
    def told(self) -> Any:  # noqa: ANN401
        assert self.code == 0, f"{self.out}\n{self.err}"
        return json.loads(self.out.strip().splitlines()[-1])


async def run_script(simulator: Simulator, script: str, **extra: str) -> Ran:
    """Run Python `script` in a child process in a directory of its own."""
    environment = sdk_environment(simulator)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        script,
        cwd=environment["HOME"],
        env={**environment, **extra},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(_SCRIPT_SECONDS):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return Ran(code=process.returncode or 0, out=out.decode(), err=err.decode())
