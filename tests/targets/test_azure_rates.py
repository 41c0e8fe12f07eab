"""A worker's share of Azure's rates, and what a 429 does to everybody in it."""

import asyncio

from app.core.workspace import Limits
from app.targets.azure_paths import azure_identity
from app.targets.azure_rates import Lane, Pace, Rates
from tests.targets.azure import FakeClock, somewhere


async def taken_at(pace: Pace, clock: FakeClock, calls: int) -> list[float]:
    """When each of `calls`, one after another, was let through."""
    moments = []
    for _ in range(calls):
        await pace.turn()
        moments.append(clock.monotonic())
    return [round(moment - 1000.0, 3) for moment in moments]


async def test_after_a_rest_a_few_go_at_once_and_then_in_step() -> None:
    clock = FakeClock()

    moments = await taken_at(Pace(2.0, clock=clock, burst=3), clock, 6)

    assert moments == [0.0, 0.0, 0.0, 0.5, 1.0, 1.5]


async def test_a_pause_lets_nothing_through_and_then_less() -> None:
    clock = FakeClock()
    pace = Pace(2.0, clock=clock, burst=3)

    pace.pause(10.0)
    first, second, third = await taken_at(pace, clock, 3)

    assert first >= 10.0
    assert second - first > 0.9
    assert third - second > 0.9


async def test_the_usual_rate_comes_back_by_and_by() -> None:
    clock = FakeClock()
    pace = Pace(2.0, clock=clock, burst=1)
    pace.pause(0.0)

    moments = await taken_at(pace, clock, 60)

    assert moments[-1] - moments[-2] == 0.5


async def test_whoever_waits_while_a_429_comes_waits_for_its_end_too() -> None:
    clock = FakeClock()
    pace = Pace(1.0, clock=clock, burst=1)
    await pace.turn()

    waiting = asyncio.create_task(taken_at(pace, clock, 1))
    await asyncio.sleep(0)
    pace.pause(30.0)

    assert (await waiting)[0] >= 30.0


async def test_a_429_slows_whoever_signs_in_alike_and_nobody_else() -> None:
    clock = FakeClock()
    rates = Rates(clock)
    ours, theirs = somewhere(), somewhere(credential="other")

    rates.slow_down(azure_identity(ours), 20.0)
    await rates.turn(theirs, azure_identity(theirs), Lane.ARM_READS)
    assert clock.monotonic() == 1000.0

    await rates.turn(ours, azure_identity(ours), Lane.REGIONAL)
    assert clock.monotonic() >= 1020.0


async def test_the_workspaces_own_limit_is_kept_to_and_can_be_changed() -> None:
    clock = FakeClock()
    rates = Rates(clock)
    slow = somewhere(limits=Limits(calls_per_second=0.5))

    for _ in range(3):
        await rates.turn(slow, azure_identity(slow), Lane.ARM_READS)
    assert clock.monotonic() == 1004.0

    unlimited = somewhere()
    for _ in range(3):
        await rates.turn(unlimited, azure_identity(unlimited), Lane.ARM_READS)
    assert clock.monotonic() == 1004.0


async def test_arm_is_asked_less_often_than_it_allows() -> None:
    clock = FakeClock()
    rates = Rates(clock)
    ours = somewhere()

    for _ in range(310):
        await rates.turn(ours, azure_identity(ours), Lane.ARM_READS)
    reads = 300 / (clock.monotonic() - 1000.0)
    started = clock.monotonic()
    for _ in range(130):
        await rates.turn(ours, azure_identity(ours), Lane.ARM_WRITES)
    writes = 120 / (clock.monotonic() - started)

    assert reads < 25 * 0.7
    assert writes < 10 * 0.7
