"""Our task definitions in procrastinate's terms."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Concatenate

import structlog
from procrastinate import (
    App,
    BaseConnector,
    BaseRetryStrategy,
    JobContext,
    RetryDecision,
)
from procrastinate.exceptions import JobAborted
from procrastinate.jobs import Job
from typing_extensions import override

from app.core.lease import Lease
from app.runner.manager import FencedJobManager
from app.runner.running import AbortReason, RunningJob, TaskDefinition

_LOG = structlog.get_logger(__name__)
# After these a job that let its cancellation through is started anew.
_GO_ON = (AbortReason.USER_REQUEST, AbortReason.SHUTDOWN)


class TaskRunner:
    """Runs jobs through their handlers, for as long as one registration lasts."""

    def __init__(self, manager: FencedJobManager, lease: Lease) -> None:
        self._manager = manager
        self._lease = lease
        self._running: dict[asyncio.Task[object], RunningJob] = {}
        self._unanswered: set[asyncio.Task[object]] = set()

    def app(self, connector: BaseConnector, tasks: Iterable[TaskDefinition]) -> App:
        """Return a procrastinate app that knows `tasks` by their names."""
        app = App(connector=connector)
        app.job_manager = self._manager
        for definition in tasks:
            declare = app.task(
                name=definition.name,
                queue=definition.queue,
                pass_context=True,
                retry=_HandBackCanceled(),
            )
            declare(self._function(definition))
        return app

    def abandon(self) -> None:
        """Cancel every handler and let none write its job's end: others have them."""
        self._manager.abandon()
        for task in self._running:
            task.cancel()

    def repeat_cancellations(self) -> None:
        """Cancel again who has not answered since this was called the last time.

        In Python 3.11 `asyncio.wait_for`, which psycopg uses throughout, loses a
        cancellation that comes together with what it waits for.
        """
        unanswered = {
            task
            for task, job in self._running.items()
            if job.abort_reason and task.cancelling()
        }
        for task in unanswered & self._unanswered:
            # It stays one cancellation, so that one `uncancel` answers it.
            task.uncancel()
            task.cancel()
        self._unanswered = unanswered

    def _function(
        self, definition: TaskDefinition
    ) -> Callable[Concatenate[JobContext, ...], Awaitable[None]]:
        # A coroutine function: procrastinate runs anything else in a thread.
        async def run(context: JobContext, **arguments: object) -> None:
            job = RunningJob(
                id=context.job.id or 0,
                lease=self._lease,
                find_reason=partial(self._find_reason, context),
            )
            with self._tracked(job):
                try:
                    await definition.handler(job, **arguments)
                except asyncio.CancelledError as error:
                    if definition.retry_on_shutdown and job.abort_reason in _GO_ON:
                        raise
                    _LOG.info("job_ended_early", job_id=job.id, why=job.abort_reason)
                    raise JobAborted from error

        return run

    @contextmanager
    def _tracked(self, job: RunningJob) -> Iterator[None]:
        task = asyncio.current_task()
        if task is None or self._manager.is_abandoned:
            raise JobAborted
        self._running[task] = job
        try:
            yield
        finally:
            del self._running[task]

    def _find_reason(self, context: JobContext) -> AbortReason | None:
        if self._manager.is_abandoned:
            return AbortReason.LOST
        reason = context.abort_reason()
        return None if reason is None else AbortReason(reason.value)


class _HandBackCanceled(BaseRetryStrategy):
    """Has a canceled job put back without limit, and no other."""

    @override
    def get_retry_decision(
        self, *, exception: BaseException, job: Job
    ) -> RetryDecision | None:
        is_canceled = isinstance(exception, asyncio.CancelledError)
        return RetryDecision() if is_canceled else None
