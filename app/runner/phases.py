"""The phases of a change, each safe to begin again after a crash."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping

from app.core.conditions import ConditionType
from app.core.deployment import Traffic, name_at_target
from app.core.event import DeploymentProgress, DeploymentTrafficChanged
from app.core.failure import Blame, Failure, FailureCode, TargetError
from app.core.lease import Lease
from app.core.lifecycle import Phase
from app.core.model_uri import parse_model_uri
from app.core.target import (
    Handle,
    Invocation,
    Observation,
    ResolveRequest,
    SupportsInvoke,
    SupportsTraffic,
    Target,
)
from app.preflight.rules import Severity, check
from app.runner import failpoints
from app.runner.arrivals import Arrivals
from app.runner.cluster_waiting import ClusterWaiting
from app.runner.failures import (
    model_missing,
    unanswered,
    unverifiable,
    wrong_answer,
)
from app.runner.ledger import Ledger
from app.runner.steps import ConditionTuple, Step
from app.runner.work import OperationFailedError, Work
from app.storage.deployments import DeploymentValues

_LONGEST_PAUSE_SECONDS = 2.0  # between two attempts at scoring
_QUOTED = 500  # characters of a wrong answer


class Phases:
    """One operation's steps, on the work's parts and the operation's ledger."""

    def __init__(self, work: Work, ledger: Ledger, lease: Lease) -> None:
        self._work = work
        self._ledger = ledger
        self._lease = lease
        self._arrivals = Arrivals(work, ledger, lease)
        # What the target said when the revision was last seen up.
        self._seen_up: Observation | None = None

    @property
    def target(self) -> Target:
        """The target of the revision at hand."""
        return self._work.target(self._ledger.subject.revision.spec.target.kind)

    def steps(self) -> Mapping[Phase, Callable[[], Awaitable[None]]]:
        """Return what each phase does, in order."""
        waiting = ClusterWaiting(self._work, self._ledger, self._arrivals)
        return {
            Phase.RESOLVE: self.resolve,
            Phase.PREFLIGHT: self.preflight,
            **waiting.steps(),
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
        model = await self._arrivals.insist(
            lambda: self._work.store.resolve(request, self._lease)
        )
        failpoints.reach("resolve.done")
        self._ledger.keep_model(model)

    async def preflight(self) -> None:
        """Find in seconds what would fail at the target in minutes."""
        subject = self._ledger.subject
        model = subject.revision.model
        if model is None:
            raise OperationFailedError(model_missing())
        facts = await self._arrivals.insist(
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
        target, revision = self.target, self._ledger.subject.revision
        handle = await self._arrivals.apply(target, revision)
        failpoints.reach("deploy.applied")
        await self._ledger.keep_handle(revision.number, handle)
        seen = await self._arrivals.wait(target, revision, handle)
        self._seen_up = seen
        self._ledger.note(Step(conditions=self._first_time(_provisioned(seen.message))))

    async def verify(self) -> None:
        """Score the revision once before callers reach it."""
        subject = self._ledger.subject
        spec = subject.revision.spec.verify
        if spec.mode == "off" or await self._keeps_its_slot():
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
        scored = (ConditionType.VERIFIED, True, "Scored", "a right answer came back")
        self._ledger.note(
            Step(
                conditions=self._first_time([scored]),
                happened=[DeploymentProgress(detail="scored once, answered right")],
            )
        )

    async def shift(self) -> None:
        """Let callers reach the revision, and record that they do."""
        subject, target = self._ledger.subject, self.target
        handle = self._handle()
        await self._ledger.flush()
        async with self._work.locks.held(subject.deployment.endpoint_key):
            if isinstance(target, SupportsTraffic):
                exposure = await target.shift(
                    subject.deployment.endpoint_key,
                    handle,
                    previous=subject.deployment.scoring_uri,
                )
                scoring_uri, swagger_uri = exposure.scoring_uri, exposure.swagger_uri
            else:
                # Seen up by `deploy`, with which every worker begins anew.
                seen = self._seen_up or await target.observe(handle)
                scoring_uri, swagger_uri = seen.scoring_uri or "", seen.swagger_uri
            failpoints.reach("shift.moved")
            number = subject.revision.number
            traffic = Traffic(
                revision=number,
                percent=100,
                azure_name=name_at_target(subject.deployment.name, subject.revision),
            )
            self._ledger.note(
                Step(
                    deployment=DeploymentValues(
                        serving=True,
                        serving_revision=number,
                        scoring_uri=scoring_uri,
                        swagger_uri=swagger_uri,
                        model=subject.revision.model,
                        traffic=(traffic,),
                    ),
                    conditions=[
                        *_provisioned(self._seen_up.message if self._seen_up else ""),
                        (ConditionType.SERVING, True, "TrafficShifted", ""),
                    ],
                    happened=[DeploymentTrafficChanged()],
                )
            )
            await self._ledger.flush()

    async def _scoring_body(self) -> bytes | None:
        subject = self._ledger.subject
        given = subject.revision.spec.verify.input
        if given is not None:
            return json.dumps(given).encode()
        model = subject.revision.model
        if model is None:
            return None
        facts = await self._arrivals.insist(
            lambda: self._work.store.inspect(subject.workspace, model)
        )
        return None if facts.example is None else facts.example.encode()

    async def _score(self, target: SupportsInvoke, body: bytes) -> Failure | None:
        spec = self._ledger.subject.revision.spec.verify
        call = Invocation(body=body, timeout_seconds=spec.timeout_seconds)
        await self._ledger.flush()
        problem: Failure | None = None
        for attempt in range(1, spec.attempts + 1):
            if attempt > 1:
                await asyncio.sleep(min(attempt, _LONGEST_PAUSE_SECONDS))
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
        self._ledger.note(
            Step(
                conditions=[(ConditionType.VERIFIED, None, reason, message)],
                happened=[DeploymentProgress(detail=f"not verified: {message}")],
            )
        )

    async def _keeps_its_slot(self) -> bool:
        """Whether the revision is the very thing that serves, under a new number."""
        serving = await self._ledger.serving_revision()
        return (
            serving is not None and serving.slot == self._ledger.subject.revision.slot
        )

    def _first_time(self, conditions: list[ConditionTuple]) -> list[ConditionTuple]:
        """Return conditions only while nothing else serves that they could slander."""
        serves = self._ledger.subject.deployment.serving_revision is not None
        return [] if serves else conditions

    def _handle(self) -> Handle:
        handle = self._ledger.subject.revision.handle
        return {} if handle is None else handle


def _provisioned(message: str) -> list[ConditionTuple]:
    return [
        (ConditionType.PROVISIONED, True, "Up", message),
        (ConditionType.REACHABLE, True, "Answers", ""),
    ]
