"""A worker on a target that only counts: `python -m bench.worker URL [hold]`."""

import asyncio
import sys

from app.core.clock import SystemClock
from app.runner.engine import Engine
from app.runner.operations import OperationRunner
from app.runner.running import TaskDefinition
from app.runner.timing import EngineSettings
from app.runner.work import Work
from app.services import tasks
from bench.house import context
from tests.fakes import FakeStore, FakeTarget, targets


async def main(url: str, *, holds: bool) -> None:
    """Work until the process is killed."""
    async with context(url) as parts:
        work = Work(
            context=parts,
            store=FakeStore(),
            targets=targets(FakeTarget(holding=holds, pause_seconds=1.0)),
            installation_id="bench",
        )
        advance = TaskDefinition(
            name=tasks.ADVANCE,
            queue=tasks.OPERATIONS_QUEUE,
            handler=OperationRunner(work).advance,
        )
        engine = Engine(
            url,
            [advance],
            queues={tasks.OPERATIONS_QUEUE: 5000},
            clock=SystemClock(),
            settings=EngineSettings(),
        )
        await engine.run(asyncio.Event())


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], holds="hold" in sys.argv[2:]))
