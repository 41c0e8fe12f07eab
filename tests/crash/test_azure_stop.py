"""A worker that stood still for longer than its lease: another one's service stays."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import psycopg
import pytest

from tests.crash.azure_service import AzureSlipway, azure_slipway
from tests.support import eventually
from tests.targets.processes import is_alive, pids_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

_REPOSITORY = Path(__file__).resolve().parents[2]
_NAME = "diabetes"
_SHARED = {
    "SLIPWAY_ENCRYPTION_KEYS": "a-root-secret-of-the-tests-long-enough",
    "SLIPWAY_DEFAULT_CREDENTIAL": "true",
}
# A new worker's heart must beat for 12 s before it judges others.
_TAKEOVER_SECONDS = 60.0


async def test_a_worker_that_stood_still_before_its_create_makes_no_second_service(
    server_dir: Path, database_url: str
) -> None:
    settings = {**_SHARED, "SLIPWAY_DATABASE_URL": database_url}
    async with azure_slipway(server_dir, settings=settings) as azure:
        await azure.service.start()
        await azure.declare()
        # Answered by the time that the worker goes on: its next writes are at hand.
        azure.simulator.world.faults.add(
            "slow",
            where={"method": "PUT", "path": "*/LocalUpload/*"},
            parameters={"seconds": 5},
        )
        await azure.put(_NAME, azure.logged_model())
        await eventually(
            lambda: azure.count("PUT", "*/LocalUpload/*"), within_seconds=60
        )

        stale = _processes(azure)
        _send(signal.SIGSTOP, stale)
        async with _worker(azure, server_dir):
            await eventually(
                lambda: _has_succeeded(database_url), within_seconds=_TAKEOVER_SECONDS
            )
            by_the_other = azure.simulator.world.journal.next_number()
            _send(signal.SIGCONT, stale)
            # What asked Azure for it is ended by whoever finds its lease lost.
            await eventually(
                lambda: not any(is_alive(pid) for pid in stale[1:]), within_seconds=30
            )
            found = await azure.ended(_NAME)

        assert found["state"] == "live"
        assert found["latest_operation"]["state"] == "succeeded"
        assert azure.services() == [_NAME]
        assert azure.versions() == [f"{_NAME}-model:1"]
        assert azure.count("POST", "*/services") == 1
        assert _writes_since(azure, by_the_other) == []


def _processes(azure: AzureSlipway) -> list[int]:
    """The service first, then all that asks Azure for it."""
    assert azure.service.process is not None
    children = pids_of(azure.service.data_dir / "azureml_v1")
    assert children
    return [azure.service.process.pid, *children]


def _send(number: signal.Signals, pids: list[int]) -> None:
    for pid in pids:
        os.kill(pid, number)


async def _has_succeeded(database_url: str) -> bool:
    query = "SELECT count(*) FROM operations WHERE state = 'succeeded' AND epoch > 1"
    async with await psycopg.AsyncConnection.connect(database_url) as connection:
        row = await (await connection.execute(query)).fetchone()
    return row is not None and row[0] == 1


def _writes_since(azure: AzureSlipway, number: int) -> list[str]:
    """What was made, changed or removed at Azure after a request's number."""
    return [
        f"{one.method} {one.path}"
        for one in azure.simulator.world.journal.requests
        if one.number > number and one.method in {"POST", "PUT", "PATCH", "DELETE"}
    ]


@asynccontextmanager
async def _worker(azure: AzureSlipway, directory: Path) -> AsyncIterator[None]:
    """Run a `slipway worker` beside the service until the block is left."""
    environment: Mapping[str, str] = {
        **azure.service.settings,
        "PATH": os.environ["PATH"],
        "HOME": str(directory),
        "SLIPWAY_DATA_DIR": str(directory / "worker"),
    }
    with (directory / "worker.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "app", "worker"),
            cwd=_REPOSITORY,
            env=environment,
            stdout=log,
            stderr=log,
        )
    try:
        yield
    finally:
        process.terminate()
        async with asyncio.timeout(30):
            await process.wait()
