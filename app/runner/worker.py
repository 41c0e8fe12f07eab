"""One worker, put together: its targets, its queues, and what it does on its own."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import structlog

from app.runner.deliveries import DeliveryRunner
from app.runner.engine import Engine
from app.runner.housekeeping import Housekeeping
from app.runner.operations import OperationRunner
from app.runner.queries import QueryRunner
from app.runner.remote_watch import RemoteWatch
from app.runner.running import TaskDefinition
from app.runner.timing import EngineSettings
from app.runner.watch import Watch
from app.runner.work import Work
from app.services import tasks, workspaces
from app.services.context import Context
from app.settings import Settings
from app.storage import installation
from app.targets import registry
from app.targets.isolation import isolation_level
from app.webhooks.resolver import SystemResolver
from app.webhooks.sender import Sender

# How many jobs of each queue one worker runs at once. Operations wait in memory,
# attempts wait for receivers, and a query is answered while somebody waits.
_QUEUES = {
    tasks.OPERATIONS_QUEUE: 5000,
    tasks.DELIVERIES_QUEUE: 64,
    tasks.INTERACTIVE_QUEUE: 8,
}

_LOG = structlog.get_logger(__name__)

# What a worker keeps alive itself; the rest is kept alive by others.
_OWN_KINDS = frozenset({"local"})


async def run_worker(
    parts: Context, settings: Settings, *, stop: asyncio.Event, is_alone: bool
) -> None:
    """Do the work of every queue until `stop` is set, then hand back what runs.

    `is_alone` says that no other worker can be alive (the data directory's lock
    proves it), so that what a crashed one left is taken over at once.
    """
    url = parts.database.url
    async with (
        _sender(parts) as sender,
        registry.opened(
            settings,
            clock=parts.clock,
            find_workspace=partial(workspaces.by_id, parts),
        ) as opened,
    ):
        async with parts.database.reading() as connection:
            installation_id = await installation.get_id(connection)
        work = Work(
            context=parts,
            store=opened.store,
            targets=opened.targets,
            installation_id=installation_id,
            clusters=opened.clusters,
            secrets=opened.secrets,
            inspector=opened.azure,
            service_reader=opened.services,
        )
        kinds = opened.targets.keys()
        _LOG.info("worker_starts", targets=sorted(kinds), isolation=isolation_level())
        engine = Engine(
            url,
            _tasks(work, sender),
            queues=_QUEUES,
            clock=parts.clock,
            settings=EngineSettings(),
            sole_worker=is_alone,
        )
        watch = Watch(work, engine.lease, kinds=sorted(_OWN_KINDS & kinds))
        remote = RemoteWatch(work, kinds=sorted(kinds - _OWN_KINDS))
        chores = [
            asyncio.create_task(watch.run(), name="watch"),
            asyncio.create_task(remote.run(), name="remote_watch"),
            asyncio.create_task(
                Housekeeping(work, engine.lease).run(), name="housekeeping"
            ),
        ]
        for chore in chores:
            chore.add_done_callback(_tell_if_broken)
        try:
            await engine.run(stop)
        finally:
            for chore in chores:
                chore.cancel()
            await asyncio.gather(*chores, return_exceptions=True)


def _tell_if_broken(chore: "asyncio.Task[None]") -> None:
    """Log a chore that ended by an error of its own, which nothing else shows."""
    error = None if chore.cancelled() else chore.exception()
    if error is not None:
        _LOG.error("chore_broke", chore=chore.get_name(), exc_info=error)


@asynccontextmanager
async def _sender(parts: Context) -> AsyncIterator[Sender]:
    resolver = SystemResolver()
    sender = Sender(parts.address_policy, clock=parts.clock, resolver=resolver)
    try:
        yield sender
    finally:
        await sender.aclose()
        resolver.close()


def _tasks(work: Work, sender: Sender) -> list[TaskDefinition]:
    return [
        TaskDefinition(
            name=tasks.ADVANCE,
            queue=tasks.OPERATIONS_QUEUE,
            handler=OperationRunner(work).advance,
        ),
        TaskDefinition(
            name=tasks.DELIVER,
            queue=tasks.DELIVERIES_QUEUE,
            handler=DeliveryRunner(work.context, sender).deliver,
        ),
        TaskDefinition(
            name=tasks.ANSWER,
            queue=tasks.INTERACTIVE_QUEUE,
            handler=QueryRunner(work).answer,
        ),
    ]
