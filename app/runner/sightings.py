"""What a look at a live deployment found, recorded unless it changed meanwhile."""

from app.core.conditions import Condition, ConditionStatus, ConditionType, merge
from app.core.deployment import Deployment, Operation
from app.core.event import DeploymentRecovered, DeploymentUnreachable, EventType
from app.core.lifecycle import DeploymentState
from app.core.target import Observation
from app.runner.work import Work
from app.services.events import record
from app.storage import deployments, revisions
from app.storage.deployments import DeploymentValues

_STEADY_STATES = frozenset({DeploymentState.LIVE, DeploymentState.UPDATING})


class Sightings:
    """Looks at what serves, and tells once that it is away or back."""

    def __init__(self, work: Work) -> None:
        self._work = work

    async def observe(self, deployment: Deployment) -> Observation | None:
        """Look at what callers reach; None if no target was ever told of it."""
        async with self._work.context.database.reading() as connection:
            revision = await revisions.get(
                connection, deployment.id, deployment.serving_revision or 0
            )
        if revision.handle is None:
            return None
        target = self._work.target(deployment.spec.target.kind)
        return await target.observe(revision.handle)

    async def is_current(self, deployment: Deployment) -> bool:
        """Say whether the same revision is still to serve."""
        async with self._work.context.database.reading() as connection:
            found, _ = await deployments.get(connection, deployment.id, project=None)
        return is_same(found, deployment)

    async def unreachable(
        self, deployment: Deployment, operation: Operation, message: str
    ) -> bool:
        """Tell that it does not answer; False if something else is to serve by now."""
        if deployment.serving is False:
            return True
        detail = message or "it does not answer"
        return await self._record(
            deployment,
            operation,
            DeploymentValues(serving=False),
            happened=DeploymentUnreachable(detail=detail),
        )

    async def recovered(
        self, deployment: Deployment, operation: Operation, values: DeploymentValues
    ) -> bool:
        """Tell that it answers again; False if something else is to serve by now."""
        return await self._record(
            deployment,
            operation,
            DeploymentValues(**values),
            happened=DeploymentRecovered(detail="it answers"),
        )

    async def _record(
        self,
        deployment: Deployment,
        operation: Operation,
        values: DeploymentValues,
        *,
        happened: EventType,
    ) -> bool:
        context = self._work.context
        async with context.database.transaction() as tx:
            found = await deployments.lock(tx, deployment.id, project=None)
            if not is_same(found, deployment):
                return False
            if found.serving is values.get("serving"):
                return True  # Another worker saw it too, and told.
            facts = _facts(happened, self._work)
            values["conditions"] = merge(found.conditions, facts)
            await record(
                context,
                tx,
                found.id,
                values=values,
                operation=operation,
                happened=[happened],
            )
        return True


def is_same(found: Deployment, seen: Deployment) -> bool:
    """Say whether `found` is still to serve what `seen` served."""
    return (
        found.state in _STEADY_STATES
        and found.serving_revision == seen.serving_revision
    )


def _facts(happened: EventType, work: Work) -> list[Condition]:
    holds = isinstance(happened, DeploymentRecovered)
    return [
        Condition(
            type=kind,
            status=ConditionStatus.TRUE if holds else ConditionStatus.FALSE,
            reason="Answers" if holds else "Unreachable",
            message="" if holds else happened.detail or "",
            last_transition_at=work.context.clock.now(),
        )
        for kind in (ConditionType.REACHABLE, ConditionType.SERVING)
    ]
