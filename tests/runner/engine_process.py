"""A worker process: runs jobs which tell the database what they do, until SIGTERM.

Started as `python -m tests.runner.engine_process NAME URL`.
"""

import asyncio
import signal
import sys
from collections.abc import Callable
from functools import partial

import psycopg

from app.core.clock import SystemClock
from app.runner.engine import Engine
from app.runner.running import RunningJob, TaskDefinition
from tests.runner.engines import FAST, QUEUE, SLOTS, TASK
from tests.support import eventually


class Reporter:
    """Runs a job until its key is released, and notes each step under its name.

    A key is released for all processes, or for one: `<name>: <key>`.
    """

    def __init__(self, name: str, connection: psycopg.AsyncConnection) -> None:
        self._name = name
        self._connection = connection

    async def handle(self, job: RunningJob, key: str) -> None:
        """Note the start, wait for the release, note the end."""
        is_released: Callable[[], object] = partial(self._is_released, key)
        await self._note(key, "started")
        try:
            await eventually(is_released, within_seconds=60)
        except asyncio.CancelledError:
            await self._note(key, f"canceled: {job.abort_reason}")
            raise
        await self._note(key, "ended")

    async def _note(self, key: str, what: str) -> None:
        await self._connection.execute(
            "INSERT INTO notes (process, key, what) VALUES (%s, %s, %s)",
            (self._name, key, what),
        )

    async def _is_released(self, key: str) -> bool:
        cursor = await self._connection.execute(
            "SELECT 1 FROM releases WHERE key IN (%s, %s)",
            (key, f"{self._name}: {key}"),
        )
        return await cursor.fetchone() is not None


async def _run(name: str, url: str) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with await psycopg.AsyncConnection.connect(
        url, autocommit=True
    ) as connection:
        reporter = Reporter(name, connection)
        engine = Engine(
            url,
            [TaskDefinition(name=TASK, queue=QUEUE, handler=reporter.handle)],
            queues={QUEUE: SLOTS},
            clock=SystemClock(),
            settings=FAST,
        )
        await engine.run(stop)


if __name__ == "__main__":
    asyncio.run(_run(sys.argv[1], sys.argv[2]))
