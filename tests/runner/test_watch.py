"""What is live stays alive: noticed when it stops, brought back, told of both."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from app.core.deployment import Deployment
from app.core.lifecycle import DeploymentState
from app.core.target import ObservedPhase
from app.runner.watch import Watch
from app.services import removal
from tests.building import OPTIONS, Building, built, spec
from tests.support import eventually


@pytest.fixture
async def building(database_url: str) -> AsyncIterator[Building]:
    async with built(database_url) as made:
        yield made


@pytest.fixture
async def watch(building: Building) -> AsyncIterator[Watch]:
    watching = Watch(building.work(), building.lease, kinds=["local"])
    task = asyncio.create_task(watching.run())
    yield watching
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.mark.usefixtures("watch")
async def test_a_crash_is_told_and_then_mended(building: Building) -> None:
    deployment = await building.live()

    crash(building, deployment)

    await eventually(lambda: has_story(building, deployment, "recovered"))
    assert (await building.story(deployment.id))[-2:] == ["unreachable", "recovered"]
    after = await building.deployment(deployment.id)
    assert (after.serving, after.state) == (True, DeploymentState.LIVE)
    assert building.target.created == ["r1", "r1"]


@pytest.mark.usefixtures("watch")
async def test_what_cannot_be_mended_is_told_once_and_tried_again(
    building: Building,
) -> None:
    deployment = await building.live()
    building.target.outcomes["r1"] = ObservedPhase.FAILED

    crash(building, deployment)

    await eventually(lambda: len(building.target.created) > 1)
    after = await building.deployment(deployment.id)
    assert after.serving is False
    assert (await building.story(deployment.id)).count("unreachable") == 1
    building.target.running.clear()
    building.target.outcomes.clear()
    await eventually(lambda: has_story(building, deployment, "recovered"))


async def test_after_a_restart_everything_that_served_comes_back(
    building: Building,
) -> None:
    deployment = await building.live()
    building.target.running.clear()
    building.target.traffic.clear()

    fresh = Watch(building.work(), building.lease, kinds=["local"])
    await fresh.look()

    await eventually(lambda: has_story(building, deployment, "recovered"))
    assert building.target.traffic == {deployment.endpoint_key: "r1"}


async def test_a_deleted_deployment_is_never_brought_back(
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

    await Watch(building.work(), building.lease, kinds=["local"]).look()

    assert building.target.created == ["r1"]


async def test_a_revision_that_was_replaced_is_not_brought_back(
    building: Building, watch: Watch
) -> None:
    deployment = await building.live()
    accepted = await building.change(deployment, spec("runs:/b2/model"))
    await building.advance(accepted.operation)

    await watch.look()

    assert building.target.created == ["r1", "r2"]


def crash(building: Building, deployment: Deployment) -> None:
    key = f"{deployment.endpoint_key}#r{deployment.serving_revision}"
    del building.target.running[key]


async def has_story(building: Building, deployment: Deployment, event: str) -> bool:
    return event in await building.story(deployment.id)
