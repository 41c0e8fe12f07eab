"""What the rows share: a throw-away database and processes that end with the run."""

import asyncio
import os
import secrets
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import httpx
import psycopg

from app.core.clock import RandomIds, SystemClock
from app.core.principal import Principal, Scope
from app.core.specs import DeploymentSpec, LocalOptions, ModelSpec
from app.core.workspace import Limits, MlflowWorkspace, Workspace
from app.services import changes, keys
from app.services.context import Context
from app.services.planning import ChangeOptions
from app.storage import migrations, workspaces
from app.storage.cipher import Cipher
from app.storage.data_directory import DataDirectory
from app.storage.database import Database
from app.storage.embedded import EmbeddedPostgres, guest_group
from app.storage.notifications import Listener
from app.webhooks.addresses import AddressPolicy

ROOT_SECRET = "a-root-secret-of-the-benchmark-long-enough"  # noqa: S105
_REPOSITORY = Path(__file__).resolve().parents[1]
_START_SECONDS = 60


@contextmanager
def server() -> Iterator[str]:
    """Yield the URL of an embedded PostgreSQL with the service's own settings."""
    with tempfile.TemporaryDirectory(prefix="slipway-bench-") as name:
        root = Path(name)
        root.chmod(0o711)
        with DataDirectory(root / "data", guest_group=guest_group()) as directory:
            embedded = EmbeddedPostgres(directory.path)
            try:
                yield embedded.start()
            finally:
                embedded.stop()


@contextmanager
def database(server_url: str) -> Iterator[str]:
    """Yield the URL of a migrated database of the row's own."""
    name = f"bench_{secrets.token_hex(4)}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    url = server_url.replace("@/slipway?", f"@/{name}?")
    migrations.upgrade(url)
    yield url


@asynccontextmanager
async def context(url: str) -> AsyncIterator[Context]:
    """Yield the use cases' parts on `url`."""
    clock = SystemClock()
    pool, listener = Database(url), Listener(url)
    try:
        async with listener.running():
            yield Context(
                database=pool,
                listener=listener,
                clock=clock,
                ids=RandomIds(clock),
                cipher=Cipher([ROOT_SECRET]),
                address_policy=AddressPolicy(),
                base_url="http://127.0.0.1",
            )
    finally:
        await pool.close()


async def furnish(parts: Context) -> tuple[Workspace, str]:
    """Add a workspace `bench` and an admin key; return both."""
    now = parts.clock.now()
    workspace = Workspace(
        id=parts.ids.new("ws"),
        name="bench",
        project="default",
        identity=MlflowWorkspace(tracking_uri="http://127.0.0.1:1"),
        limits=Limits(),
        projects=None,
        created_by="bench",
        created_at=now,
        updated_at=now,
    )
    async with parts.database.transaction() as tx:
        await workspaces.create(tx, workspace)
    made = await keys.create(
        parts,
        name="bench",
        scopes=[Scope.ADMIN],
        project="default",
        created_by="bench",
    )
    return workspace, made.secret


async def create(parts: Context, workspace: Workspace, name: str) -> str:
    """Accept a deployment as the API would, and return its id."""
    principal = Principal(
        id="bench", name="bench", project="default", scopes=(Scope.ADMIN,)
    )
    spec = DeploymentSpec(
        model=ModelSpec(uri="models:/m/1"), target=LocalOptions(kind="local")
    )
    async with parts.database.transaction() as tx:
        accepted = await changes.create(
            parts,
            tx,
            workspace,
            name,
            spec=spec,
            options=ChangeOptions(principal=principal),
        )
    return accepted.deployment.id


@asynccontextmanager
async def process(
    *arguments: str, **environment: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run `python` with the arguments until the block is left."""
    running = await asyncio.create_subprocess_exec(
        *(sys.executable, *arguments),
        cwd=_REPOSITORY,
        env={"PATH": os.environ["PATH"], "HOME": tempfile.gettempdir(), **environment},
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield running
    finally:
        if running.returncode is None:
            running.kill()
            await running.wait()


@asynccontextmanager
async def api(url: str) -> AsyncIterator[tuple[str, asyncio.subprocess.Process]]:
    """Run `slipway api` on `url`; yield its address once it is ready."""
    port = free_port()
    settings = {
        "SLIPWAY_DATABASE_URL": url,
        "SLIPWAY_PORT": str(port),
        "SLIPWAY_ENCRYPTION_KEYS": ROOT_SECRET,
        "SLIPWAY_LOCAL_ENABLED": "true",
        "SLIPWAY_LOG_LEVEL": "WARNING",
    }
    async with process("-m", "app", "api", **settings) as running:
        address = f"http://127.0.0.1:{port}"
        await answering(f"{address}/readyz")
        yield address, running


async def answering(address: str) -> None:
    """Return once `address` answers 200; raise TimeoutError after a minute."""
    async with httpx.AsyncClient() as client, asyncio.timeout(_START_SECONDS):
        while True:
            try:
                if (await client.get(address)).is_success:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.02)


def free_port() -> int:
    """Return a port of the loopback address that nobody has just now."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def resident_megabytes(pid: int) -> float:
    """Return the resident memory of a process in MB (10^6 bytes)."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
