"""What a worker makes of one operation, whatever happens on the way."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest

from app.core.errors import FencedError
from app.core.failure import FailureCode, TargetError
from app.core.lifecycle import DeploymentState, OperationState, Phase
from app.core.specs import VerifySpec
from app.core.target import ObservedPhase
from app.runner.ledger import Ledger
from app.runner.operations import OperationRunner
from app.runner.running import AbortReason, RunningJob
from app.services import changes
from app.services import operations as use_cases
from tests.building import OPTIONS, PRINCIPAL, Building, built, spec
from tests.fakes import failure
from tests.support import eventually


@pytest.fixture
async def building(database_url: str) -> AsyncIterator[Building]:
    async with built(database_url) as made:
        yield made


async def test_a_first_deployment_goes_through_every_phase_and_serves(
    building: Building,
) -> None:
    accepted = await building.create()

    await building.advance(accepted.operation)

    deployment = await building.deployment(accepted.deployment.id)
    assert deployment.state is DeploymentState.LIVE
    assert (deployment.serving, deployment.serving_revision) == (True, 1)
    assert deployment.scoring_uri is not None
    assert [t.percent for t in deployment.traffic] == [100]
    assert await building.story(deployment.id) == [
        "accepted",
        "started",
        *["phase_changed"] * 5,
        "traffic_changed",
        "phase_changed",
        "live",
    ]


async def test_a_deployment_says_how_its_target_keeps_it_apart(
    building: Building,
) -> None:
    deployment = await building.live()

    said = {c.type.value: c.message for c in deployment.conditions}
    assert said["Provisioned"] == "isolation: fake"


async def test_a_second_revision_takes_over_and_the_first_one_goes(
    building: Building,
) -> None:
    deployment = await building.live()

    accepted = await building.change(deployment, spec("runs:/b2/model"))
    await building.advance(accepted.operation)

    after = await building.deployment(deployment.id)
    assert (after.serving_revision, after.scoring_uri) == (2, deployment.scoring_uri)
    assert building.target.deleted == ["r1"]
    assert list(building.target.traffic.values()) == ["r2"]


async def test_a_change_in_place_starts_nothing_anew(building: Building) -> None:
    deployment = await building.live()

    accepted = await building.change(deployment, spec(description="better words"))
    await building.advance(accepted.operation)

    after = await building.deployment(deployment.id)
    assert (after.serving_revision, after.spec.description) == (2, "better words")
    assert (building.target.created, building.target.deleted) == (["r1"], [])


async def test_a_rollback_restores_the_past_revision_itself(
    building: Building,
) -> None:
    deployment = await building.live()
    second = await building.change(deployment, spec("runs:/b2/model"))
    await building.advance(second.operation)

    back = await building.locked(
        deployment,
        lambda tx, locked: changes.roll_back(
            building.context, tx, locked, 1, options=OPTIONS
        ),
    )
    await building.advance(back.operation)

    after = await building.deployment(deployment.id)
    assert (after.serving_revision, after.wanted_revision) == (1, 1)
    assert (await building.story(deployment.id))[-1] == "rolled_back"
    assert building.store.registered == 2


async def test_a_model_that_fails_to_load_ends_failed_with_its_cause(
    building: Building,
) -> None:
    building.target.outcomes["r1"] = ObservedPhase.FAILED
    accepted = await building.create()

    await building.advance(accepted.operation)

    operation = await building.operation(accepted.operation.id)
    deployment = await building.deployment(accepted.deployment.id)
    assert operation.state is OperationState.FAILED
    assert operation.error is not None
    assert operation.error.code is FailureCode.MODEL_LOAD_FAILED
    assert deployment.state is DeploymentState.FAILED
    assert building.target.deleted == ["r1"]
    assert building.target.traffic == {}


async def test_a_failed_change_leaves_the_old_revision_serving(
    building: Building,
) -> None:
    deployment = await building.live()
    building.target.answers["r2"] = 500

    accepted = await building.change(deployment, spec("runs:/b2/model"))
    await building.advance(accepted.operation)

    after = await building.deployment(deployment.id)
    operation = await building.operation(accepted.operation.id)
    assert operation.error is not None
    assert operation.error.code is FailureCode.VERIFICATION_FAILED
    assert operation.error.cause == '{"error": "no such column"}'
    assert after.state is DeploymentState.LIVE
    assert (after.serving_revision, after.wanted_revision) == (1, 1)
    assert list(building.target.traffic.values()) == ["r1"]
    assert building.target.deleted == ["r2"]


@pytest.mark.parametrize("phase", [None, *list(Phase)[:-1]])
async def test_an_operation_goes_on_from_any_phase_after_a_crash(
    building: Building, phase: Phase | None
) -> None:
    accepted = await building.create()
    await crash_in(building, accepted.operation.id, phase)

    await building.advance(accepted.operation)

    deployment = await building.deployment(accepted.deployment.id)
    assert deployment.state is DeploymentState.LIVE
    assert building.store.registered == 1
    assert building.target.created in (["r1"], ["r1", "r1"])


async def test_a_stale_worker_cannot_move_an_operation(building: Building) -> None:
    accepted = await building.create()
    stale = await Ledger.open(building.work(), accepted.operation.id)
    assert stale is not None
    newer = await Ledger.open(building.work(), accepted.operation.id)
    assert newer is not None

    with pytest.raises(FencedError):
        await stale.enter(Phase.RESOLVE)

    await newer.enter(Phase.RESOLVE)


async def test_a_late_job_of_an_ended_operation_changes_nothing(
    building: Building,
) -> None:
    deployment = await building.live()
    told = await building.story(deployment.id)
    operation = await building.operation(deployment.latest_operation_id)

    await building.advance(operation)

    assert await building.story(deployment.id) == told


async def test_a_transient_failure_of_the_store_is_tried_again(
    building: Building,
) -> None:
    building.store.broken = [TargetError(failure(), transient=True)]

    deployment = await building.live()

    assert deployment.state is DeploymentState.LIVE


async def test_a_required_verification_without_an_input_fails(
    building: Building,
) -> None:
    building.store.example = None
    accepted = await building.create(wanted=spec(verify=VerifySpec(mode="required")))

    await building.advance(accepted.operation)

    operation = await building.operation(accepted.operation.id)
    assert operation.error is not None
    assert operation.error.code is FailureCode.PREFLIGHT_FAILED


async def test_a_best_effort_verification_without_an_input_is_unknown(
    building: Building,
) -> None:
    building.store.example = None

    deployment = await building.live()

    verified = {c.type.value: c.status.value for c in deployment.conditions}
    assert verified["Verified"] == "Unknown"


async def test_a_cancel_in_the_middle_removes_what_was_made(
    building: Building,
) -> None:
    building.target.holding = True
    accepted = await building.create()
    reason: list[AbortReason] = []
    job = RunningJob(
        id=1, lease=building.lease, find_reason=lambda: reason[0] if reason else None
    )
    running = asyncio.create_task(
        OperationRunner(building.work()).advance(
            job, operation_id=accepted.operation.id
        )
    )
    await eventually(lambda: building.target.created == ["r1"])
    async with building.context.database.transaction() as tx:
        await use_cases.cancel(
            building.context, tx, accepted.operation.id, principal=PRINCIPAL
        )

    reason.append(AbortReason.USER_REQUEST)
    running.cancel()
    await running

    operation = await building.operation(accepted.operation.id)
    deployment = await building.deployment(accepted.deployment.id)
    assert operation.state is OperationState.CANCELED
    assert deployment.state is DeploymentState.CANCELED
    assert building.target.deleted == ["r1"]


async def test_a_shutdown_in_the_middle_leaves_the_operation_to_the_next_worker(
    building: Building,
) -> None:
    building.target.holding = True
    accepted = await building.create()
    running = asyncio.create_task(
        building.advance(accepted.operation, reason=AbortReason.SHUTDOWN)
    )
    await eventually(lambda: building.target.created == ["r1"])

    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    building.target.holding = False
    await building.advance(accepted.operation)

    deployment = await building.deployment(accepted.deployment.id)
    assert deployment.state is DeploymentState.LIVE
    assert building.target.created == ["r1"]


async def test_an_operation_past_its_deadline_fails_and_cleans_up(
    building: Building,
) -> None:
    building.target.holding = True
    options = replace(OPTIONS, deadline=timedelta(seconds=1))
    deployment = await building.live_then_hold()

    accepted = await building.change(deployment, spec("runs:/b2/model"), options)
    await building.advance(accepted.operation)

    operation = await building.operation(accepted.operation.id)
    assert operation.error is not None
    assert operation.error.code is FailureCode.DEADLINE_EXCEEDED
    assert building.target.deleted == ["r2"]


async def crash_in(building: Building, operation_id: str, phase: Phase | None) -> None:
    """Leave the operation as a worker that was killed in `phase` would."""
    ledger = await Ledger.open(building.work(), operation_id)
    assert ledger is not None
    if phase is None:
        return
    steps = building.phases(ledger)
    for step_phase, step in steps.items():
        await ledger.enter(step_phase)
        if step_phase is phase:
            return
        await step()
