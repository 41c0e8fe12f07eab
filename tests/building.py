"""A worker's parts on a real database, with a fake store and a fake target."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from app.core.adoption import ServiceReader
from app.core.azure_port import AzureInspector
from app.core.clock import RandomIds, SystemClock
from app.core.deployment import Deployment, Operation
from app.core.lifecycle import Phase
from app.core.principal import Principal, Scope
from app.core.specs import DeploymentSpec, LocalOptions, ModelSpec
from app.core.target import Target
from app.core.workspace import Limits, MlflowWorkspace, Workspace
from app.runner.ledger import Ledger
from app.runner.operations import OperationRunner
from app.runner.phases import Phases
from app.runner.running import AbortReason, RunningJob
from app.runner.work import Work
from app.services import changes
from app.services.changes import Accepted
from app.services.context import Context
from app.services.planning import ChangeOptions
from app.storage import deployments, events, operations, workspaces
from app.storage.cipher import Cipher
from app.storage.database import Database, Transaction
from app.storage.notifications import Listener
from app.webhooks.addresses import AddressPolicy
from tests.fakes import FakeLease, FakeStore, FakeTarget, targets

PRINCIPAL = Principal(
    id="key_t", name="tests", project="default", scopes=(Scope.ADMIN,)
)
OPTIONS = ChangeOptions(principal=PRINCIPAL, request_id="req_t")


def spec(uri: str = "runs:/a1/model", **changes_: Any) -> DeploymentSpec:  # noqa: ANN401
    made = DeploymentSpec(model=ModelSpec(uri=uri), target=LocalOptions(kind="local"))
    return replace(made, **changes_)


@dataclass(kw_only=True)
class Building:
    """The house in small: use cases on top, one worker's runner below."""

    context: Context
    workspace: Workspace
    store: FakeStore
    target: FakeTarget
    lease: FakeLease
    others: dict[str, Target] = field(default_factory=dict)
    inspector: AzureInspector | None = None
    service_reader: ServiceReader | None = None

    def work(self) -> Work:
        return Work(
            context=self.context,
            store=self.store,
            targets={**targets(self.target), **self.others},
            inspector=self.inspector,
            service_reader=self.service_reader,
            installation_id="installation",
        )

    async def create(
        self, name: str = "diabetes", wanted: DeploymentSpec | None = None
    ) -> Accepted:
        async with self.context.database.transaction() as tx:
            return await changes.create(
                self.context,
                tx,
                self.workspace,
                name,
                spec=wanted or spec(),
                options=OPTIONS,
            )

    async def change(
        self,
        deployment: Deployment,
        wanted: DeploymentSpec,
        options: ChangeOptions = OPTIONS,
    ) -> Accepted:
        async def revise(tx: Transaction, locked: Deployment) -> Accepted:
            return await changes.revise(
                self.context, tx, locked, wanted, options=options
            )

        return await self.locked(deployment, revise)

    async def locked(
        self,
        deployment: Deployment,
        action: Callable[[Transaction, Deployment], Awaitable[Accepted]],
    ) -> Accepted:
        async with self.context.database.transaction() as tx:
            locked = await deployments.lock(tx, deployment.id, project=None)
            return await action(tx, locked)

    async def live(self, name: str = "diabetes") -> Deployment:
        accepted = await self.create(name)
        await self.advance(accepted.operation)
        return await self.deployment(accepted.deployment.id)

    async def live_then_hold(self) -> Deployment:
        """A live deployment; whatever is applied from now on never becomes ready."""
        self.target.holding = False
        deployment = await self.live()
        self.target.holding = True
        return deployment

    def phases(self, ledger: Ledger) -> Mapping[Phase, Callable[[], Awaitable[None]]]:
        return Phases(self.work(), ledger, self.lease).steps()

    async def advance(
        self, operation: Operation, *, reason: AbortReason | None = None
    ) -> None:
        await OperationRunner(self.work()).advance(
            self.job(reason), operation_id=operation.id
        )

    def job(self, reason: AbortReason | None = None) -> RunningJob:
        return RunningJob(id=1, lease=self.lease, find_reason=lambda: reason)

    async def deployment(self, deployment_id: str) -> Deployment:
        async with self.context.database.reading() as connection:
            found, _ = await deployments.get(connection, deployment_id, project=None)
        return found

    async def operation(self, operation_id: str) -> Operation:
        async with self.context.database.reading() as connection:
            return await operations.get(connection, operation_id, project=None)

    async def story(self, deployment_id: str) -> list[str]:
        """The types of the deployment's events in order, progress left out."""
        async with self.context.database.reading() as connection:
            told = await events.of_deployment(
                connection, deployment_id, after=0, limit=200
            )
        assert [event.sequence for event in told] == list(range(1, len(told) + 1))
        return [
            event.type.removeprefix("deployment.")
            for event in told
            if event.type != "deployment.progress"
        ]


@asynccontextmanager
async def built(database_url: str) -> AsyncIterator[Building]:
    clock = SystemClock()
    database, listener = Database(database_url, pool_size=8), Listener(database_url)
    context = Context(
        database=database,
        listener=listener,
        clock=clock,
        ids=RandomIds(clock),
        cipher=Cipher(["a root secret of the tests, long enough"]),
        address_policy=AddressPolicy(),
        base_url="http://slipway.test",
    )
    try:
        async with listener.running():
            yield Building(
                context=context,
                workspace=await add_workspace(context),
                store=FakeStore(),
                target=FakeTarget(),
                lease=FakeLease(),
            )
    finally:
        await database.close()


async def add_workspace(
    context: Context, name: str = "prod", limits: Limits | None = None
) -> Workspace:
    now = context.clock.now()
    workspace = Workspace(
        id=context.ids.new("ws"),
        name=name,
        project="default",
        identity=MlflowWorkspace(tracking_uri="http://127.0.0.1:1"),
        limits=limits or Limits(),
        projects=None,
        created_by="tests",
        created_at=now,
        updated_at=now,
    )
    async with context.database.transaction() as tx:
        assert await workspaces.create(tx, workspace)
    return workspace


async def until_canceled(task: "asyncio.Task[None]") -> None:
    """Cancel `task` as the engine does and wait for what it makes of it."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
