"""A call to a child, and what becomes of a child that does not behave."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from app.core.failure import FailureCode, TargetError
from app.core.lease import LeaseLostError
from app.targets.store_child import StoreChild, launch
from app.targets.store_locations import StoreLocation
from tests.connections import left_open
from tests.fakes import FakeLease
from tests.support import eventually
from tests.targets.leases import LostLease
from tests.targets.processes import entries, is_alive

_STUB = Path(__file__).with_name("stub_store_child.py").read_text()
launch_stub = partial(launch, program=(sys.executable, "-c", _STUB))


def _stores(name: str) -> tuple[StoreLocation, ...]:
    origin = ("http", name, 80)
    return (StoreLocation(uri=f"http://{name}", origin=origin),)


@pytest.fixture
async def child(tmp_path: Path) -> AsyncIterator[StoreChild]:
    started = launch_stub(tmp_path / "child", [])
    yield started
    await started.end()


async def test_a_question_is_answered(child: StoreChild) -> None:
    answer = await child.ask("version", {"name": "m"}, seconds=10)

    assert answer["operation"] == "version"
    assert answer["arguments"] == {"name": "m"}
    assert answer["lease_until"] is None
    assert child.is_usable


async def test_a_change_carries_the_moment_at_which_its_lease_ends(
    child: StoreChild,
) -> None:
    lease = FakeLease()
    lease.seconds = 5

    answer = await child.change("create_model", {}, lease=lease)

    assert 0 < answer["lease_until"] - time.monotonic() <= 5


async def test_without_a_lease_no_change_is_sent(child: StoreChild) -> None:
    with pytest.raises(LeaseLostError):
        await child.change("create_model", {}, lease=LostLease())

    assert child.is_usable


async def test_a_child_is_killed_at_its_deadline(child: StoreChild) -> None:
    await child.ask("version", {}, seconds=10)

    with pytest.raises(TargetError) as error:
        await child.ask("hang", {}, seconds=0.05)

    assert error.value.transient
    assert error.value.failure.code is FailureCode.MODEL_STORE_UNAVAILABLE
    assert not child.is_usable
    await eventually(lambda: not is_alive(child.pid))


async def test_a_child_whose_caller_was_canceled_is_killed(child: StoreChild) -> None:
    await child.ask("version", {}, seconds=10)
    asking = asyncio.create_task(child.ask("hang", {}, seconds=100))
    await asyncio.sleep(0)

    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)

    assert not child.is_usable
    await eventually(lambda: not is_alive(child.pid))


async def test_a_change_is_broken_off_when_its_lease_ends(child: StoreChild) -> None:
    lease = FakeLease()
    lease.seconds = 0.05
    await child.ask("version", {}, seconds=10)

    with pytest.raises(TargetError) as error:
        await child.change("hang", {}, lease=lease)

    assert error.value.transient
    assert not child.is_usable


async def test_the_last_words_of_a_child_that_died_are_quoted(
    child: StoreChild,
) -> None:
    with pytest.raises(TargetError) as error:
        await child.ask("die", {}, seconds=10)

    cause = error.value.failure.cause or ""
    assert "status 3" in cause
    assert "a last word" in cause
    assert not child.is_usable


@pytest.mark.parametrize("operation", ["babble", "flood"])
async def test_a_child_that_talks_nonsense_is_not_asked_again(
    child: StoreChild, operation: str
) -> None:
    with pytest.raises(TargetError):
        await child.ask(operation, {}, seconds=10)

    assert not child.is_usable


async def test_an_ended_child_leaves_no_files(tmp_path: Path) -> None:
    child = launch_stub(tmp_path / "child", [])
    await child.ask("version", {}, seconds=10)

    await child.end()

    assert entries(tmp_path) == []
    assert not is_alive(child.pid)


async def test_a_child_whose_end_is_canceled_leaves_no_connection_open(
    child: StoreChild,
) -> None:
    await child.ask("version", {}, seconds=10)
    ending = asyncio.create_task(child.end())
    await asyncio.sleep(0)

    ending.cancel()
    await asyncio.gather(ending, return_exceptions=True)

    assert left_open() == []
