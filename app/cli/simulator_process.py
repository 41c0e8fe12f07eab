"""The process behind `slipway simulator`: server, models, and what it prints."""

import asyncio
import contextlib
import shlex
import tempfile
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from app.cli.simulated_models import confined_models
from app.core.clock import SystemClock
from app.main import stop_signals
from app.simulator.server import Simulator, running
from app.simulator.settings import SimulatorSettings
from app.targets.isolation import protect_this_process


async def run(
    settings: SimulatorSettings, host: str, port: int, ca_file: Path | None
) -> None:
    """Run the simulator until the process is told to stop; print how to reach it."""
    stop = asyncio.Event()
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(stop_signals(stop))
        if settings.run_models:
            protect_this_process()
            folder = stack.enter_context(
                tempfile.TemporaryDirectory(prefix="slipway-models-")
            )
            models = await stack.enter_async_context(
                confined_models(Path(folder), SystemClock())
            )
            settings = replace(settings, model_runner=models)
        started = await stack.enter_async_context(
            running(settings, host=host, port=port, ca_file=ca_file)
        )
        _announce(started)
        await stop.wait()


def _announce(started: Simulator) -> None:
    console = Console(highlight=False, soft_wrap=True, markup=False)
    console.print(f"Simulated Azure at {started.url}")
    console.print(f"CA certificate:    {started.ca_file}")
    console.print(f"Control API:       {started.url}/control/")
    for workspace in started.world.workspaces.values():
        console.print(f"Workspace:         {workspace.arm_id}")
    console.print("Where the SDKs run:")
    for name, value in started.environment().items():
        console.print(f"  export {name}={shlex.quote(value)}")
