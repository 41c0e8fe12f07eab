"""A target that changes one service in place never loses what served before."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from app.core.deployment import Deployment
from app.core.lifecycle import DeploymentState, OperationState
from app.core.target import ObservedPhase, Target
from app.runner.housekeeping import Housekeeping
from app.runner.operations import OperationRunner
from app.runner.work import Work
from app.services import removal
from app.services.changes import Accepted
from app.storage import revisions
from tests.building import OPTIONS, Building, built, spec
from tests.fakes import FakeInPlaceTarget, targets


@pytest.fixture
async def building(database_url: str) -> AsyncIterator[Building]:
    async with built(database_url) as made:
        yield made


@pytest.fixture
def target() -> FakeInPlaceTarget:
    return FakeInPlaceTarget()


def _work(building: Building, target: Target) -> Work:
    return replace(building.work(), targets=targets(target))


async def _advance(
    building: Building, target: Target, accepted: Accepted
) -> Deployment:
    runner = OperationRunner(_work(building, target))
    await runner.advance(building.job(), operation_id=accepted.operation.id)
    return await building.deployment(accepted.deployment.id)


async def _numbers_with_handle(building: Building, deployment: Deployment) -> list[int]:
    async with building.context.database.reading() as connection:
        standing = await revisions.with_handle(connection, deployment.id)
    return [revision.number for revision in standing]


async def test_a_new_revision_keeps_the_one_service(
    building: Building, target: FakeInPlaceTarget
) -> None:
    first = await _advance(building, target, await building.create())

    changed = await building.change(first, spec("models:/other/1"))
    after = await _advance(building, target, changed)

    assert (after.state, after.serving_revision) == (DeploymentState.LIVE, 2)
    assert (target.deleted, target.standing) == ([], {"diabetes": "r2"})
    assert [t.revision for t in after.traffic] == [2]
    assert after.azure_state == "Healthy"
    assert await _numbers_with_handle(building, after) == [2]


async def test_a_change_that_fails_puts_back_what_served(
    building: Building, target: FakeInPlaceTarget
) -> None:
    first = await _advance(building, target, await building.create())
    target.outcomes["r2"] = ObservedPhase.FAILED

    changed = await building.change(first, spec("models:/other/1"))
    after = await _advance(building, target, changed)

    ended = await building.operation(changed.operation.id)
    assert ended.state is OperationState.FAILED
    assert (after.state, after.serving, after.serving_revision) == (
        DeploymentState.LIVE,
        True,
        1,
    )
    assert (target.deleted, target.standing) == ([], {"diabetes": "r1"})
    assert await _numbers_with_handle(building, after) == [1]
    async with building.context.database.reading() as connection:
        assert await revisions.log_tail(connection, after.id, 2) == ["r2 model log"]


async def test_what_cannot_be_put_back_is_told_as_not_serving(
    building: Building, target: FakeInPlaceTarget
) -> None:
    first = await _advance(building, target, await building.create())
    target.outcomes |= {"r1": ObservedPhase.FAILED, "r2": ObservedPhase.FAILED}

    changed = await building.change(first, spec("models:/other/1"))
    after = await _advance(building, target, changed)

    assert after.serving is False
    assert "unreachable" in await building.story(after.id)
    assert target.deleted == []


async def test_a_first_revision_that_fails_is_deleted(
    building: Building, target: FakeInPlaceTarget
) -> None:
    target.outcomes["r1"] = ObservedPhase.FAILED

    after = await _advance(building, target, await building.create())

    assert after.state is DeploymentState.FAILED
    assert (target.deleted, target.standing) == (["diabetes"], {})


async def test_the_housekeeping_never_reaps_the_thing_that_serves(
    building: Building, target: FakeInPlaceTarget
) -> None:
    first = await _advance(building, target, await building.create())
    changed = await building.change(first, spec("models:/other/1"))
    after = await _advance(building, target, changed)
    async with building.context.database.transaction() as tx:
        # As a worker leaves it that dies just before it forgets the old revision.
        handle = (await revisions.get(tx, after.id, 2)).handle
        await revisions.set_handle(tx, after.id, 1, handle)

    await Housekeeping(_work(building, target), building.lease).reap()

    assert (target.deleted, target.standing) == ([], {"diabetes": "r2"})


async def test_a_delete_takes_the_one_service(
    building: Building, target: FakeInPlaceTarget
) -> None:
    first = await _advance(building, target, await building.create())

    gone = await building.locked(
        first,
        lambda tx, locked: removal.delete(
            building.context, tx, locked, options=OPTIONS, keep_at_target=False
        ),
    )
    after = await _advance(building, target, gone)

    assert after.state is DeploymentState.DELETED
    assert target.standing == {}
