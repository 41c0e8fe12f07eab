"""Bring a revision up at its target and wait until it is, telling what moves."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TypeVar

from app.core.deployment import Revision
from app.core.failure import TargetError
from app.core.lease import Lease
from app.core.retry import backoff
from app.core.target import Handle, Observation, ObservedPhase, Target
from app.runner.asking import apply_request
from app.runner.failures import did_not_come_up
from app.runner.ledger import Ledger
from app.runner.work import OperationFailedError, Work

_Result = TypeVar("_Result")

# A store or a target that does not answer is asked again this often, 30 s in all.
_TRIES = 6
_FIRST_WAIT = timedelta(seconds=1)
_LONGEST_WAIT = timedelta(seconds=10)
# Between two looks at a revision that starts: quick at first, then every 2 s.
_FIRST_LOOK_SECONDS = 0.2
_LONGEST_LOOK_SECONDS = 2.0


class Arrivals:
    """Brings revisions of one operation's deployment up, under the worker's lease."""

    def __init__(self, work: Work, ledger: Ledger, lease: Lease) -> None:
        self._work = work
        self._ledger = ledger
        self._lease = lease

    async def apply(self, target: Target, revision: Revision) -> Handle:
        """Start to bring `revision` up and return its handle.

        Raises OperationFailedError if the target refuses, or is away for too long.
        """
        return await self.insist(partial(self._apply, target, revision))

    async def wait(
        self, target: Target, revision: Revision, handle: Handle
    ) -> Observation:
        """Return what the target says of `revision` once it is up.

        Raises OperationFailedError if it never will be.
        """
        pause, told = _FIRST_LOOK_SECONDS, ""
        while True:
            seen = await self.insist(partial(target.observe, handle))
            match seen.phase:
                case ObservedPhase.READY:
                    await self._ledger.saw(handle, seen)
                    return seen
                case ObservedPhase.FAILED | ObservedPhase.UNREACHABLE:
                    await self._ledger.saw(handle, seen)
                    raise OperationFailedError(did_not_come_up(seen))
                case ObservedPhase.MISSING:
                    handle = await self.apply(target, revision)
                case ObservedPhase.STARTING:
                    pass
            line = seen.progress or seen.message
            is_news = bool(line) and line != told
            await self._ledger.saw(handle, seen, progress=line if is_news else None)
            told = line or told
            await asyncio.sleep(seen.retry_after_seconds or pause)
            pause = min(pause * 1.5, _LONGEST_LOOK_SECONDS)

    async def insist(self, attempt: Callable[[], Awaitable[_Result]]) -> _Result:
        """Return what `attempt` does, tried again while it fails for a time only.

        What is noted in the ledger is written first.
        Raises OperationFailedError with the failure that stayed.
        """
        await self._ledger.flush()
        for failures in range(1, _TRIES + 1):
            try:
                return await attempt()
            except TargetError as error:
                if not error.transient or failures == _TRIES:
                    raise OperationFailedError(error.failure) from error
                await self._ledger.progress(
                    f"{error.failure.message} Trying again ({failures}/{_TRIES})."
                )
            wait = backoff(failures, _FIRST_WAIT, cap=_LONGEST_WAIT, jitter=0)
            await asyncio.sleep(wait.total_seconds())
        raise AssertionError("the last try returns or raises")

    async def _apply(self, target: Target, revision: Revision) -> Handle:
        subject = replace(self._ledger.subject, revision=revision)
        request = await apply_request(self._work, subject)
        is_adopted = (
            request.handle is not None and request.handle.get("adopted") is True
        )
        if is_adopted and subject.deployment.serving_revision == 1:
            await self._ledger.progress("writes Slipway's ownership mark at Azure")
        async with self._work.locks.held(subject.deployment.endpoint_key):
            return await target.apply(request, self._lease)
