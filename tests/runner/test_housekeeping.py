"""The safety nets: a lost job, a full workspace, a left-over revision."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from sqlalchemy import text

from app.core.lifecycle import OperationState
from app.core.target import ObservedPhase
from app.core.workspace import Limits, Workspace
from app.runner.housekeeping import Housekeeping
from app.services import operations as use_cases
from tests.building import OPTIONS, PRINCIPAL, Building, add_workspace, built, spec


@pytest.fixture
async def building(database_url: str) -> AsyncIterator[Building]:
    async with built(database_url) as made:
        yield made


async def test_an_operation_whose_job_was_lost_gets_a_new_one(
    building: Building,
) -> None:
    accepted = await building.create()
    await forget_jobs(building)

    await housekeeping(building).resync()

    assert await waiting_jobs(building) == [accepted.operation.id]


async def test_an_operation_with_a_live_job_gets_no_second_one(
    building: Building,
) -> None:
    accepted = await building.create()

    await housekeeping(building).resync()

    assert await waiting_jobs(building) == [accepted.operation.id]


async def test_a_workspace_runs_no_more_operations_than_its_limit(
    building: Building,
) -> None:
    small = await narrow(building, concurrent_operations=2)

    accepted = [await building.create(f"model-{n}") for n in range(4)]

    assert await waiting_jobs(building) == [a.operation.id for a in accepted[:2]]
    assert small.limits.concurrent_operations == 2


async def test_an_ended_operation_lets_the_next_one_in(building: Building) -> None:
    await narrow(building, concurrent_operations=1)
    first = await building.create("model-1")
    second = await building.create("model-2")

    await building.advance(first.operation)

    assert (await building.operation(second.operation.id)).admitted_at is not None


async def test_a_canceled_operation_lets_the_next_one_in(building: Building) -> None:
    await narrow(building, concurrent_operations=1)
    first = await building.create("model-1")
    second = await building.create("model-2")

    async with building.context.database.transaction() as tx:
        await use_cases.cancel(
            building.context, tx, first.operation.id, principal=PRINCIPAL
        )

    assert (await building.operation(second.operation.id)).admitted_at is not None


async def test_a_queued_change_waits_for_the_one_before_it(building: Building) -> None:
    deployment = await building.live()
    queued = replace(OPTIONS, queue=True)
    first = await building.change(deployment, spec("runs:/b2/model"))

    second = await building.change(deployment, spec("runs:/c3/model"), queued)

    assert (await building.operation(second.operation.id)).admitted_at is None
    await building.advance(first.operation)
    assert (await building.operation(second.operation.id)).admitted_at is not None
    await building.advance(second.operation)
    after = await building.deployment(deployment.id)
    assert (after.serving_revision, after.model) != (2, None)
    assert after.spec.model.uri == "runs:/c3/model"


async def test_a_newer_queued_change_supersedes_the_one_that_waits(
    building: Building,
) -> None:
    deployment = await building.live()
    queued = replace(OPTIONS, queue=True)
    await building.change(deployment, spec("runs:/b2/model"))
    waiting = await building.change(deployment, spec("runs:/c3/model"), queued)

    await building.change(deployment, spec("runs:/d4/model"), queued)

    superseded = await building.operation(waiting.operation.id)
    assert superseded.state is OperationState.CANCELED
    assert superseded.error is not None
    assert superseded.error.code == "superseded"


async def test_a_revision_that_a_refused_clean_up_left_is_removed_later(
    building: Building,
) -> None:
    building.target.outcomes["r1"] = ObservedPhase.FAILED
    building.target.refuses_delete = 1
    accepted = await building.create()
    await building.advance(accepted.operation)
    assert building.target.deleted == []

    await housekeeping(building).reap()
    await housekeeping(building).reap()

    assert building.target.deleted == ["r1"]


async def test_what_serves_is_never_reaped(building: Building) -> None:
    deployment = await building.live()
    accepted = await building.change(deployment, spec(description="in place"))
    await building.advance(accepted.operation)

    await housekeeping(building).reap()

    assert building.target.deleted == []


async def test_finished_jobs_are_pruned_and_waiting_ones_are_not(
    building: Building,
) -> None:
    accepted = await building.create()

    await housekeeping(building).prune()

    assert await waiting_jobs(building) == [accepted.operation.id]


def housekeeping(building: Building) -> Housekeeping:
    return Housekeeping(building.work(), building.lease)


async def narrow(building: Building, *, concurrent_operations: int) -> Workspace:
    limits = Limits(concurrent_operations=concurrent_operations)
    building.workspace = await add_workspace(building.context, "narrow", limits)
    return building.workspace


async def waiting_jobs(building: Building) -> list[str]:
    statement = """
        SELECT queueing_lock FROM procrastinate_jobs
        WHERE status = 'todo' AND task_name = 'advance' ORDER BY id
    """
    async with building.context.database.reading() as connection:
        return list((await connection.execute(text(statement))).scalars())


async def forget_jobs(building: Building) -> None:
    async with building.context.database.transaction() as tx:
        await tx.execute(text("DELETE FROM procrastinate_jobs"))
