"""What becomes of a live service at Azure is told once, and nothing is changed."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from app.core.deployment import Deployment
from app.core.target import ObservedPhase
from app.runner.operations import OperationRunner
from app.runner.remote_watch import RemoteWatch
from app.runner.work import Work
from tests.building import Building, built
from tests.fakes import FakeInPlaceTarget, targets


@pytest.fixture
async def building(database_url: str) -> AsyncIterator[Building]:
    async with built(database_url) as made:
        yield made


@pytest.fixture
def target() -> FakeInPlaceTarget:
    return FakeInPlaceTarget()


@pytest.fixture
def work(building: Building, target: FakeInPlaceTarget) -> Work:
    return replace(building.work(), targets=targets(target))


@pytest.fixture
async def deployment(building: Building, work: Work) -> Deployment:
    accepted = await building.create()
    await OperationRunner(work).advance(
        building.job(), operation_id=accepted.operation.id
    )
    return await building.deployment(accepted.deployment.id)


async def test_a_service_that_stopped_answering_is_told_of_once(
    building: Building, work: Work, target: FakeInPlaceTarget, deployment: Deployment
) -> None:
    target.outcomes["r1"] = ObservedPhase.UNREACHABLE
    watch = RemoteWatch(work, kinds=["local"])

    await watch.look()
    await watch.look()

    after = await building.deployment(deployment.id)
    assert (after.serving, after.state) == (False, deployment.state)
    assert (await building.story(deployment.id)).count("unreachable") == 1
    assert target.applied == ["r1"]


async def test_a_service_that_answers_again_is_told_of_once(
    building: Building, work: Work, target: FakeInPlaceTarget, deployment: Deployment
) -> None:
    target.outcomes["r1"] = ObservedPhase.UNREACHABLE
    watch = RemoteWatch(work, kinds=["local"])
    await watch.look()
    target.outcomes.clear()

    await watch.look()
    await watch.look()

    after = await building.deployment(deployment.id)
    assert after.serving is True
    assert (await building.story(deployment.id))[-2:] == ["unreachable", "recovered"]


async def test_two_workers_that_see_the_same_tell_it_once(
    building: Building, work: Work, target: FakeInPlaceTarget, deployment: Deployment
) -> None:
    target.outcomes["r1"] = ObservedPhase.FAILED
    one, other = (RemoteWatch(work, kinds=["local"]) for _ in range(2))

    await one.look()
    await other.look()

    assert (await building.story(deployment.id)).count("unreachable") == 1


async def test_a_service_in_transition_is_left_to_time(
    building: Building, work: Work, target: FakeInPlaceTarget, deployment: Deployment
) -> None:
    target.outcomes["r1"] = ObservedPhase.STARTING

    await RemoteWatch(work, kinds=["local"]).look()

    assert (await building.deployment(deployment.id)).serving is True
