"""The running simulator: its world, its certificates and its port."""

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from app.simulator.certificates import CertificateAuthority
from app.simulator.connections import Connections
from app.simulator.control import Control
from app.simulator.front import Front, listen
from app.simulator.gate import Gate
from app.simulator.settings import SimulatorSettings
from app.simulator.surfaces import Surfaces
from app.simulator.world import CLIENT_ID, CLIENT_SECRET, World


@dataclass(frozen=True, kw_only=True, slots=True)
class Simulator:
    """A simulator that accepts connections."""

    host: str
    port: int
    ca_file: Path
    world: World

    @property
    def url(self) -> str:
        """Where the proxy and the control API are."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    def environment(self) -> dict[str, str]:
        """Return the variables that lead an unmodified Azure SDK here."""
        return {
            "HTTPS_PROXY": self.url,
            "HTTP_PROXY": self.url,
            "NO_PROXY": "",
            "REQUESTS_CA_BUNDLE": str(self.ca_file),
            "SSL_CERT_FILE": str(self.ca_file),
            "AZURE_TENANT_ID": self.world.tenant,
            "AZURE_CLIENT_ID": CLIENT_ID,
            "AZURE_CLIENT_SECRET": CLIENT_SECRET,
            "AZUREML_CURRENT_CLOUD": "AzureCloud",
            "MLFLOW_DISABLE_TELEMETRY": "true",
        }


@asynccontextmanager
async def running(
    settings: SimulatorSettings,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    ca_file: Path | None = None,
) -> AsyncIterator[Simulator]:
    """Run a simulator; at the end of the block every connection is cut.

    Without `ca_file` the CA's certificate is in a directory that goes with the block.
    """
    world = World.new(settings)
    surfaces = Surfaces(world)
    async with contextlib.AsyncExitStack() as stack:
        folder = stack.enter_context(
            tempfile.TemporaryDirectory(prefix="slipway-simulator-")
        )
        authority = CertificateAuthority(Path(folder), world.clock.wall())
        written = ca_file or Path(folder) / "ca.pem"
        written.write_text(authority.pem, encoding="ascii")
        listening = stack.enter_context(contextlib.closing(listen(host, port)))
        simulator = Simulator(
            host=host, port=listening.getsockname()[1], ca_file=written, world=world
        )
        control = Control(world, simulator.environment())
        connections = Connections(Gate(world, surfaces, control))
        front = Front(
            listening=listening,
            context=authority.server_context(),
            connections=connections,
            knows=surfaces.knows,
            refuse=world.journal.refuse,
        )
        stack.push_async_callback(world.close)
        stack.push_async_callback(connections.close)
        accepting = asyncio.create_task(front.run())
        stack.push_async_callback(_until_canceled, accepting)
        yield simulator


async def _until_canceled(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
