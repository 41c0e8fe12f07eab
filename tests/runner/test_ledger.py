"""A worker's writes: in order, together, and only on what it has read."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from app.core.errors import FencedError
from app.core.lifecycle import Phase
from app.runner.ledger import Ledger
from app.storage import deployments
from app.storage.deployments import DeploymentValues
from tests.building import Building, built


@pytest.fixture
async def building(database_url: str) -> AsyncIterator[Building]:
    async with built(database_url) as made:
        yield made


async def test_what_somebody_else_wrote_meanwhile_stays(building: Building) -> None:
    ledger, deployment_id = await opened(building)
    async with building.context.database.transaction() as tx:
        other = await deployments.change(
            tx,
            deployment_id,
            DeploymentValues(azure_state="theirs"),
            events=0,
            at=building.context.clock.now(),
        )

    ledger.begin(Phase.RESOLVE)
    await ledger.progress("ours")

    after = await building.deployment(deployment_id)
    assert (after.azure_state, after.version) == ("theirs", other.version + 2)
    assert ledger.subject.deployment == after
    assert after.sequence == other.sequence + 2
    told = await building.story(deployment_id)
    assert told == ["accepted", "started", "phase_changed"]


async def test_a_write_that_waits_for_the_row_sees_what_it_waited_for(
    building: Building,
) -> None:
    ledger, deployment_id = await opened(building)
    async with building.context.database.transaction() as tx:
        locked = await deployments.lock(tx, deployment_id, project=None)
        waiting = asyncio.create_task(ledger.progress("ours"))
        await asyncio.wait([waiting], timeout=0.2)
        await deployments.change(
            tx,
            deployment_id,
            DeploymentValues(azure_state="theirs"),
            events=0,
            at=locked.updated_at,
        )
    await waiting

    after = await building.deployment(deployment_id)
    assert (after.azure_state, after.version) == ("theirs", locked.version + 2)


async def test_a_stale_worker_keeps_nothing_of_what_it_noted(
    building: Building,
) -> None:
    stale, deployment_id = await opened(building)
    newer = await Ledger.open(building.work(), stale.subject.operation.id)
    assert newer is not None
    told = await building.story(deployment_id)

    stale.begin(Phase.RESOLVE)
    with pytest.raises(FencedError):
        await stale.flush()

    assert await building.story(deployment_id) == told
    assert await building.deployment(deployment_id) == newer.subject.deployment


async def opened(building: Building) -> tuple[Ledger, str]:
    accepted = await building.create()
    ledger = await Ledger.open(building.work(), accepted.operation.id)
    assert ledger is not None
    return ledger, accepted.deployment.id
