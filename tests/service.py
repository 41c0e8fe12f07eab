"""A real `slipway serve` in a process of its own, with a real model store."""

import asyncio
import os
import re
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.models import StoreOnDisk, copied_store
from tests.support import eventually

_REPOSITORY = Path(__file__).resolve().parents[1]
_START_SECONDS = 60
_STOP_SECONDS = 30
# What a model takes to be loaded and served on two busy cores.
LIVE_SECONDS = 90


@dataclass
class Service:
    """One data directory, and the process that serves it from time to time."""

    data_dir: Path
    store: StoreOnDisk
    settings: Mapping[str, str]
    client: httpx.AsyncClient
    process: asyncio.subprocess.Process | None = None
    log: Path = field(init=False)

    def __post_init__(self) -> None:
        self.log = self.data_dir.with_suffix(".log")

    async def start(self, *, failpoint: str | None = None) -> None:
        """Start the process and wait until it tells where it serves."""
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.data_dir),
            "SLIPWAY_DATA_DIR": str(self.data_dir),
            "SLIPWAY_PORT": "0",
            **self.settings,
        }
        if failpoint is not None:
            environment["SLIPWAY_FAILPOINT"] = failpoint
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "app", "serve"),
                cwd=_REPOSITORY,
                env=environment,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
            )
        url = await self._announced()
        key = (self.data_dir / "admin.key").read_text().strip()
        self.client.base_url = httpx.URL(url)
        self.client.headers["Authorization"] = f"Bearer {key}"

    async def kill(self) -> None:
        """End the process as a lost machine would, and wait until it is gone."""
        assert self.process is not None
        self.process.kill()
        await self.process.wait()

    async def died(self, *, within_seconds: float = LIVE_SECONDS) -> int:
        """Return the status with which the process ended by itself."""
        assert self.process is not None
        async with asyncio.timeout(within_seconds):
            return await self.process.wait()

    async def stop(self) -> int:
        """Ask the process to stop and return its status."""
        assert self.process is not None
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(_STOP_SECONDS):
            return await self.process.wait()

    async def put(self, name: str, model: str, **more: Any) -> httpx.Response:  # noqa: ANN401
        """PUT a deployment of one of the store's models to the target `local`."""
        body = {
            "model": {"uri": self.store.model_uri(model)},
            "target": {"kind": "local"},
            **more,
        }
        return await self.client.put(path_of(name), json=body)

    async def deployment(self, name: str) -> dict[str, Any]:
        """Return the deployment as GET shows it."""
        return dict((await self.client.get(path_of(name))).json())

    async def ended(self, name: str) -> dict[str, Any]:
        """Return the deployment once its latest operation has ended."""

        async def look() -> dict[str, Any] | None:
            found = await self.deployment(name)
            running = found["latest_operation"]["state"] in {"queued", "running"}
            return None if running else found

        return await eventually(look, within_seconds=LIVE_SECONDS) or {}

    async def events(self, name: str) -> list[dict[str, Any]]:
        """Return all events of the deployment, in order."""
        found = await self.deployment(name)
        answer = await self.client.get(
            f"/v1/deployments/{found['id']}/events", params={"limit": 200}
        )
        return list(answer.json()["items"])

    def registered_versions(self) -> list[tuple[str, int]]:
        """Return every registered model version in the store."""
        with sqlite3.connect(self.store.directory / "mlflow.db") as database:
            rows = database.execute(
                "SELECT name, version FROM model_versions ORDER BY name, version"
            )
            return [(str(name), int(version)) for name, version in rows]

    async def _announced(self) -> str:
        assert self.process is not None
        assert self.process.stdout is not None
        async with asyncio.timeout(_START_SECONDS):
            async for line in self.process.stdout:
                found = re.search(r"serves at (http://\S+)", line.decode())
                if found:
                    return found[1]
        raise AssertionError(self.log.read_text())


def path_of(name: str) -> str:
    """Return the path of a deployment in the workspace `local`."""
    return f"/v1/workspaces/local/deployments/{name}"


@asynccontextmanager
async def service(
    directory: Path, store: StoreOnDisk, **settings: str
) -> AsyncIterator[Service]:
    """Lend a service that was not started yet; nothing of it is left afterwards."""
    data_dir = directory / "data"
    data_dir.mkdir()
    data_dir.chmod(0o711)
    copy = copied_store(store, data_dir / "mlflow")
    async with httpx.AsyncClient(timeout=30) as client:
        lent = Service(data_dir=data_dir, store=copy, settings=settings, client=client)
        try:
            yield lent
        finally:
            if lent.process is not None and lent.process.returncode is None:
                await lent.kill()
