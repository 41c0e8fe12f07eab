"""The phases of a change, each safe to begin again after a crash."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from functools import partial
from typing import TypeVar

from app.core.conditions import ConditionType
from app.core.deployment import Traffic
from app.core.event import DeploymentProgress, DeploymentTrafficChanged
from app.core.failure import Blame, Failure, FailureCode, TargetError
from app.core.lease import Lease
from app.core.lifecycle import Phase
from app.core.model_uri import parse_model_uri
from app.core.retry import backoff
from app.core.target import (
    Handle,
    Invocation,
    ObservedPhase,
    ResolveRequest,
    SupportsInvoke,
    SupportsTraffic,
    Target,
)
from app.preflight.rules import Severity, check
from app.runner import failpoints
from app.runner.failures import (
    did_not_come_up,
    model_missing,
    unanswered,
    unverifiable,
    wrong_answer,
)
from app.runner.ledger import ConditionTuple, Ledger
from app.runner.work import OperationFailedError, Work, apply_request
from app.storage.deployments import DeploymentValues
from app.storage.operations import OperationValues

_Result = TypeVar("_Result")

# A store or a target that does not answer is asked again this often, 30 s in all.
_TRIES = 6
_FIRST_WAIT = timedelta(seconds=1)
_LONGEST_WAIT = timedelta(seconds=10)
# Between two looks at a revision that starts: quick at first, then every 2 s.
_FIRST_LOOK_SECONDS = 0.2
_LONGEST_LOOK_SECONDS = 2.0
_QUOTED = 500  # characters of a wrong answer


class Phases:
    """One operation's steps, on the work's parts and the operation's ledger."""

    def __init__(self, work: Work, ledger: Ledger, lease: Lease) -> None:
        self._work = work
        self._ledger = ledger
        self._lease = lease
        # What the target said when the revision was last seen up.
        self._said_when_up = ""

    @property
    def target(self) -> Target:
        """The target of the revision at hand."""
        return self._work.target(self._ledger.subject.revision.spec.target.kind)

    def steps(self) -> Mapping[Phase, Callable[[], Awaitable[None]]]:
        """Return what each phase does, in order."""
        return {
            Phase.RESOLVE: self.resolve,
            Phase.PREFLIGHT: self.preflight,
            Phase.DEPLOY: self.deploy,
            Phase.VERIFY: self.verify,
            Phase.SHIFT: self.shift,
        }

    async def resolve(self) -> None:
        """Pin the model to one registered version, registering a run's model once."""
        subject = self._ledger.subject
        if subject.revision.model is not None:
            return
        spec = subject.revision.spec
        request = ResolveRequest(
            workspace=subject.workspace,
            uri=parse_model_uri(spec.model.uri),
            register_as=spec.registered_name(subject.deployment.name),
            tags=spec.model.tags,
            mark=self._work.mark(subject.operation, subject.revision),
        )
        model = await self._insist(
            lambda: self._work.store.resolve(request, self._lease)
        )
        failpoints.reach("resolve.done")
        await self._ledger.keep_model(model)

    async def preflight(self) -> None:
        """Find in seconds what would fail at the target in minutes."""
        subject = self._ledger.subject
        model = subject.revision.model
        if model is None:
            raise OperationFailedError(model_missing())
        facts = await self._insist(
            lambda: self._work.store.inspect(subject.workspace, model)
        )
        findings = check(facts, subject.revision.spec)
        errors = [f for f in findings if f.severity is Severity.ERROR]
        if errors:
            raise OperationFailedError(
                Failure(
                    code=FailureCode.PREFLIGHT_FAILED,
                    message="The model cannot be served on this target.",
                    cause="; ".join(f"{f.code}: {f.message}" for f in errors),
                    remedy=errors[0].remedy,
                    retryable=False,
                    blame=Blame.CALLER,
                )
            )
        for finding in findings:
            if finding.severity is Severity.WARNING:
                await self._ledger.progress(f"{finding.code}: {finding.message}")

    async def deploy(self) -> None:
        """Create or find the revision at its target and wait until it is up."""
        handle = await self._insist(self._apply)
        failpoints.reach("deploy.applied")
        await self._ledger.keep_handle(self._ledger.subject.revision.number, handle)
        self._said_when_up = await self._wait_until_ready(handle)
        await self._ledger.write(
            OperationValues(),
            conditions=self._first_time(_provisioned(self._said_when_up)),
        )

    async def verify(self) -> None:
        """Score the revision once before callers reach it."""
        subject = self._ledger.subject
        spec = subject.revision.spec.verify
        if spec.mode == "off" or self._keeps_its_slot():
            return
        body = await self._scoring_body()
        if body is None:
            await self._unknown("NoInputExample", "the model has no input example")
            return
        if not isinstance(self.target, SupportsInvoke):
            await self._unknown("NotReachable", "this worker cannot reach the revision")
            return
        problem = await self._score(self.target, body)
        if problem is not None:
            raise OperationFailedError(problem)
        await self._ledger.write(
            OperationValues(),
            conditions=self._first_time(
                [(ConditionType.VERIFIED, True, "Scored", "a right answer came back")]
            ),
            happened=[DeploymentProgress(detail="scored once, answered right")],
        )

    async def shift(self) -> None:
        """Let callers reach the revision, and record that they do."""
        subject, target = self._ledger.subject, self.target
        handle = self._handle()
        async with self._work.locks.held(subject.deployment.endpoint_key):
            if isinstance(target, SupportsTraffic):
                exposure = await target.shift(
                    subject.deployment.endpoint_key,
                    handle,
                    previous=subject.deployment.scoring_uri,
                )
                scoring_uri, swagger_uri = exposure.scoring_uri, exposure.swagger_uri
            else:
                seen = await target.observe(handle)
                scoring_uri, swagger_uri = seen.scoring_uri or "", seen.swagger_uri
            failpoints.reach("shift.moved")
            number = subject.revision.number
            traffic = Traffic(
                revision=number, percent=100, azure_name=subject.revision.slot
            )
            await self._ledger.write(
                OperationValues(),
                deployment=DeploymentValues(
                    serving=True,
                    serving_revision=number,
                    scoring_uri=scoring_uri,
                    swagger_uri=swagger_uri,
                    model=subject.revision.model,
                    traffic=(traffic,),
                ),
                conditions=[
                    *_provisioned(self._said_when_up),
                    (ConditionType.SERVING, True, "TrafficShifted", ""),
                ],
                happened=[DeploymentTrafficChanged()],
            )

    async def _apply(self) -> Handle:
        subject = self._ledger.subject
        request = apply_request(self._work, self._ledger.subject)
        async with self._work.locks.held(subject.deployment.endpoint_key):
            return await self.target.apply(request, self._lease)

    async def _wait_until_ready(self, handle: Handle) -> str:
        """Return what the target says of the revision once it is up."""
        pause, said = _FIRST_LOOK_SECONDS, ""
        while True:
            seen = await self._insist(partial(self.target.observe, handle))
            match seen.phase:
                case ObservedPhase.READY:
                    return seen.message
                case ObservedPhase.FAILED | ObservedPhase.UNREACHABLE:
                    raise OperationFailedError(did_not_come_up(seen))
                case ObservedPhase.MISSING:
                    handle = await self._insist(self._apply)
                case ObservedPhase.STARTING:
                    pass
            line = seen.progress or seen.message
            if line and line != said:
                await self._ledger.progress(line)
                said = line
            await asyncio.sleep(seen.retry_after_seconds or pause)
            pause = min(pause * 1.5, _LONGEST_LOOK_SECONDS)

    async def _scoring_body(self) -> bytes | None:
        subject = self._ledger.subject
        given = subject.revision.spec.verify.input
        if given is not None:
            return json.dumps(given).encode()
        model = subject.revision.model
        if model is None:
            return None
        facts = await self._insist(
            lambda: self._work.store.inspect(subject.workspace, model)
        )
        return None if facts.example is None else facts.example.encode()

    async def _score(self, target: SupportsInvoke, body: bytes) -> Failure | None:
        spec = self._ledger.subject.revision.spec.verify
        call = Invocation(body=body, timeout_seconds=spec.timeout_seconds)
        problem: Failure | None = None
        for attempt in range(1, spec.attempts + 1):
            if attempt > 1:
                await asyncio.sleep(min(attempt, _LONGEST_LOOK_SECONDS))
            try:
                answer = await target.invoke(self._handle(), call)
            except TargetError as error:
                problem = unanswered(error)
                continue
            if answer.status == spec.expect.status:
                return None
            quoted = answer.body[:_QUOTED].decode("utf-8", errors="replace")
            problem = wrong_answer(answer.status, spec.expect.status, quoted)
        return problem

    async def _unknown(self, reason: str, message: str) -> None:
        if self._ledger.subject.revision.spec.verify.mode == "required":
            raise OperationFailedError(unverifiable(message))
        await self._ledger.write(
            OperationValues(),
            conditions=[(ConditionType.VERIFIED, None, reason, message)],
            happened=[DeploymentProgress(detail=f"not verified: {message}")],
        )

    def _keeps_its_slot(self) -> bool:
        """Whether the revision is the very thing that serves, under a new number."""
        serving = self._ledger.subject.deployment.traffic
        return any(t.azure_name == self._ledger.subject.revision.slot for t in serving)

    def _first_time(self, conditions: list[ConditionTuple]) -> list[ConditionTuple]:
        """Return conditions only while nothing else serves that they could slander."""
        serves = self._ledger.subject.deployment.serving_revision is not None
        return [] if serves else conditions

    def _handle(self) -> Handle:
        handle = self._ledger.subject.revision.handle
        return {} if handle is None else handle

    async def _insist(self, attempt: Callable[[], Awaitable[_Result]]) -> _Result:
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


def _provisioned(message: str) -> list[ConditionTuple]:
    return [
        (ConditionType.PROVISIONED, True, "Up", message),
        (ConditionType.REACHABLE, True, "Answers", ""),
    ]
