"""A worker's transactions, which outlast a database that is away for a while."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

import structlog

from app.core.errors import UnavailableError
from app.core.retry import backoff
from app.runner.work import Work
from app.storage.database import Transaction

_LOG = structlog.get_logger(__name__)
_Result = TypeVar("_Result")

_FIRST_WAIT = timedelta(milliseconds=100)
_LONGEST_WAIT = timedelta(seconds=2)


async def persistently(
    work: Work,
    action: Callable[[Transaction], Awaitable[_Result]],
    *,
    is_reading: bool = False,
) -> _Result:
    """Run `action` in a transaction, again and again while the database is away.

    One that `is_reading` a single statement needs no transaction, and gets none.

    A worker that loses its lease meanwhile is canceled by the engine.
    """
    database = work.context.database
    lend = database.reading if is_reading else database.transaction
    failures = 0
    while True:
        try:
            async with lend() as tx:
                return await action(tx)
        except UnavailableError:
            failures += 1
            _LOG.warning("database_away", failures=failures)
        wait = backoff(failures, _FIRST_WAIT, cap=_LONGEST_WAIT, jitter=0.5)
        await asyncio.sleep(wait.total_seconds())
