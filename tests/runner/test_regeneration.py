"""A key is replaced by an operation, which survives the worker that began it."""

from dataclasses import replace

from typing_extensions import override

from app.core.aci_options import AciOptions
from app.core.deployment import Deployment, Operation
from app.core.failure import FailureCode, TargetError
from app.core.lease import LeaseLostError
from app.core.lifecycle import DeploymentState, OperationState
from app.core.target import KeyName
from app.core.workspace import AzureMlWorkspace
from app.services import endpoint_keys, operations
from app.services.changes import Accepted
from app.storage import deployments, workspaces
from app.storage.database import Transaction
from app.storage.deployments import DeploymentValues
from tests.building import OPTIONS, PRINCIPAL, Building, built, spec
from tests.fakes import FakeLease, failure
from tests.keyed import FakeAciTarget

IDENTITY = AzureMlWorkspace(
    kind="azureml",
    subscription_id="5d2c1f0e-8b7a-4c6d-9e3f-2a1b0c9d8e7f",
    resource_group="ml",
    workspace_name="prod",
    region="eastus2",
)


async def begun(building: Building) -> tuple[FakeAciTarget, Deployment, Operation]:
    """A live service, and an operation that is to replace its primary key."""
    target = FakeAciTarget()
    building.others = {"aci": target}
    context = building.context
    async with context.database.transaction() as tx:
        building.workspace = await workspaces.change(
            tx,
            building.workspace.id,
            identity=IDENTITY,
            limits=building.workspace.limits,
            projects=None,
            at=context.clock.now(),
        )
    made = await building.create(wanted=spec(target=AciOptions(kind="aci")))
    await building.advance(made.operation)

    async def regenerate(tx: Transaction, locked: Deployment) -> Accepted:
        return await endpoint_keys.regenerate(
            context, tx, locked, KeyName.PRIMARY, options=OPTIONS
        )

    accepted = await building.locked(made.deployment, regenerate)
    return target, accepted.deployment, accepted.operation


async def test_what_azure_refuses_for_a_time_only_is_tried_again(
    database_url: str,
) -> None:
    async with built(database_url) as building:
        target, deployment, operation = await begun(building)
        busy = failure(FailureCode.TARGET_BUSY)
        target.broken = [TargetError(busy, transient=True)]

        await building.advance(operation)

        ended = await building.operation(operation.id)
        told = await building.story(deployment.id)
    assert ended.state is OperationState.SUCCEEDED
    assert target.made == {KeyName.PRIMARY: 2, KeyName.SECONDARY: 1}
    assert told[-3:] == ["accepted", "started", "updated"]


async def test_a_worker_without_its_lease_ends_nothing_and_another_does(
    database_url: str,
) -> None:
    async with built(database_url) as building:
        target, deployment, operation = await begun(building)
        real, building.lease = building.lease, LostLease()

        await building.advance(operation)
        left = await building.operation(operation.id)
        building.lease = real
        await building.advance(operation)

        ended = await building.operation(operation.id)
        now = await building.deployment(deployment.id)
    assert left.state is OperationState.RUNNING
    assert (ended.state, ended.epoch) == (OperationState.SUCCEEDED, 2)
    assert now.state is DeploymentState.LIVE
    assert target.made[KeyName.PRIMARY] == 2


async def test_an_error_that_nobody_foresaw_ends_it_truthfully(
    database_url: str,
) -> None:
    async with built(database_url) as building:
        _, deployment, operation = await begun(building)
        building.others = {"aci": BrokenTarget()}

        await building.advance(operation)

        ended = await building.operation(operation.id)
        now = await building.deployment(deployment.id)
    assert ended.error is not None
    assert ended.error.code is FailureCode.INTERNAL_ERROR
    assert now.state is DeploymentState.LIVE


async def test_one_that_takes_too_long_fails_at_its_deadline(
    database_url: str,
) -> None:
    async with built(database_url) as building:
        target, deployment, operation = await begun(building)
        late = replace(OPTIONS, deadline=OPTIONS.deadline * 0)

        async def again(tx: Transaction, locked: Deployment) -> Accepted:
            await operations.cancel(
                building.context, tx, operation.id, principal=PRINCIPAL
            )
            return await endpoint_keys.regenerate(
                building.context, tx, locked, KeyName.PRIMARY, options=late
            )

        accepted = await building.locked(deployment, again)
        await building.advance(accepted.operation)

        ended = await building.operation(accepted.operation.id)
    assert ended.error is not None
    assert ended.error.code is FailureCode.DEADLINE_EXCEEDED
    assert target.made[KeyName.PRIMARY] == 1


async def test_what_serves_no_more_has_no_key_to_replace(database_url: str) -> None:
    async with built(database_url) as building:
        target, deployment, operation = await begun(building)
        context = building.context
        async with context.database.transaction() as tx:
            await deployments.change(
                tx,
                deployment.id,
                DeploymentValues(serving_revision=None),
                events=0,
                at=context.clock.now(),
            )

        await building.advance(operation)

        ended = await building.operation(operation.id)
    assert ended.error is not None
    assert ended.error.code is FailureCode.AUTH_DISABLED
    assert target.made[KeyName.PRIMARY] == 1


class LostLease(FakeLease):
    """A lease whose time is over."""

    @override
    def check(self) -> None:
        raise LeaseLostError("The lease is over.")


class BrokenTarget(FakeAciTarget):
    """A target with a bug."""

    @override
    async def regenerate_key(self, *_: object) -> None:
        raise KeyError("a bug")
