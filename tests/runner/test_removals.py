"""What a worker takes away at a target when it is told to delete."""

from collections.abc import AsyncIterator

import pytest

from app.core.lifecycle import DeploymentState
from app.services import operations as use_cases
from app.services import removal
from tests.building import OPTIONS, Building, built


@pytest.fixture
async def building(database_url: str) -> AsyncIterator[Building]:
    async with built(database_url) as made:
        yield made


async def test_a_delete_takes_everything_away_and_frees_the_name(
    building: Building,
) -> None:
    deployment = await building.live()

    gone = await building.locked(
        deployment,
        lambda tx, locked: removal.delete(
            building.context, tx, locked, options=OPTIONS, keep_at_target=False
        ),
    )
    await building.advance(gone.operation)

    after = await building.deployment(deployment.id)
    assert (after.state, after.serving) == (DeploymentState.DELETED, False)
    assert (building.target.running, building.target.traffic) == ({}, {})
    again = await building.create()
    assert again.deployment.id != deployment.id


async def test_a_refused_delete_ends_failed_and_can_be_retried(
    building: Building,
) -> None:
    deployment = await building.live()
    building.target.refuses_delete = 1
    gone = await building.locked(
        deployment,
        lambda tx, locked: removal.delete(
            building.context, tx, locked, options=OPTIONS, keep_at_target=False
        ),
    )

    await building.advance(gone.operation)
    failed = await building.deployment(deployment.id)
    async with building.context.database.transaction() as tx:
        retried = await use_cases.retry(
            building.context, tx, gone.operation.id, options=OPTIONS
        )
    await building.advance(retried.operation)

    assert failed.state is DeploymentState.FAILED
    after = await building.deployment(deployment.id)
    assert after.state is DeploymentState.DELETED


async def test_a_delete_that_keeps_touches_nothing_at_the_target(
    building: Building,
) -> None:
    deployment = await building.live()

    gone = await building.locked(
        deployment,
        lambda tx, locked: removal.delete(
            building.context, tx, locked, options=OPTIONS, keep_at_target=True
        ),
    )
    await building.advance(gone.operation)

    assert building.target.deleted == []
    assert list(building.target.traffic.values()) == ["r1"]
