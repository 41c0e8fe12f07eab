"""One child that asks azureml-core: its lease, its end, and whose it is."""

import asyncio
import os
import signal
import time
from pathlib import Path

import pytest
from typing_extensions import override

from app.core.aci_options import AciOptions
from app.core.failure import TargetError
from app.core.lease import LeaseLostError
from app.core.secret import Secret
from tests.fakes import FakeLease
from tests.support import eventually
from tests.targets.azureml_v1.v1 import V1Bench
from tests.targets.processes import environment_of, is_alive

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

_OPTIONS = AciOptions(kind="aci", cpu_cores=1, memory_gb=1)


class EndingLease(FakeLease):
    """A lease that nobody renews; `check` tells nothing, as in a frozen worker."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._until = time.monotonic() + seconds

    @override
    def remaining_seconds(self) -> float:
        return max(0.0, self._until - time.monotonic())


def _slow_uploads(bench: V1Bench, seconds: float) -> None:
    bench.simulator.world.faults.add(
        "slow",
        times=None,
        parameters={"seconds": seconds},
        where={"method": "PUT", "host": "*.blob.core.windows.net"},
    )


async def test_a_change_goes_on_while_its_lease_is_renewed(bench: V1Bench) -> None:
    # The two uploads take longer than the lease of the start.
    _slow_uploads(bench, 2.0)
    lease = FakeLease()
    lease.seconds = 3.5

    started_at = time.monotonic()
    await bench.aci.apply(bench.request(_OPTIONS, "renewed"), lease)

    assert time.monotonic() - started_at > lease.seconds
    assert "renewed" in bench.names()


async def test_a_change_starts_no_write_once_its_lease_has_run_out(
    bench: V1Bench,
) -> None:
    _slow_uploads(bench, 1.6)

    # Either the second upload was not started or the first took all that was left.
    with pytest.raises((LeaseLostError, TargetError)):
        await bench.aci.apply(bench.request(_OPTIONS, "ran-out"), EndingLease(2.5))

    assert bench.writes("POST", "/services") == []


async def test_a_caller_who_leaves_takes_the_child_along(bench: V1Bench) -> None:
    _slow_uploads(bench, 30)
    identity = bench.place_identity("prod")
    async with bench.pool.lend(identity) as child:
        pid = child.pid

    change = asyncio.create_task(
        bench.aci.apply(bench.request(_OPTIONS, "left"), FakeLease())
    )
    journal = bench.simulator.world.journal
    await eventually(lambda: journal.seen("PUT"))
    change.cancel()
    await asyncio.gather(change, return_exceptions=True)

    await eventually(lambda: not is_alive(pid))
    assert bench.writes("POST", "/services") == []


async def test_a_child_that_was_killed_is_no_service_lost(bench: V1Bench) -> None:
    request = bench.request(_OPTIONS, "killed")
    async with bench.pool.lend(bench.place_identity("prod")) as child:
        pid = child.pid
    _slow_uploads(bench, 2)
    change = asyncio.create_task(bench.aci.apply(request, FakeLease()))
    journal = bench.simulator.world.journal
    await eventually(lambda: journal.seen("PUT"))

    os.kill(pid, signal.SIGKILL)
    with pytest.raises(TargetError) as broken:
        await change
    bench.simulator.world.faults.clear()
    await bench.up(request)

    assert broken.value.transient
    assert "killed" in bench.names()
    assert len(bench.writes("POST", "/services")) == 1


async def test_a_child_stays_with_its_workspace(bench: V1Bench) -> None:
    async with bench.pool.lend(bench.place_identity("prod")) as first:
        pass

    async with (
        bench.pool.lend(bench.place_identity("prod")) as again,
        bench.pool.lend(bench.place_identity("dev")) as other,
    ):
        assert again is first
        assert other is not first
        assert other.bound_to == bench.place_identity("dev")


async def test_a_child_is_shown_neither_token_nor_secret(bench: V1Bench) -> None:
    options = AciOptions(kind="aci", primary_key=Secret(value="x"))
    secrets = {"primary_key": "never-shown-" * 3}
    await bench.up(bench.request(options, "hidden", secrets=secrets))

    async with bench.pool.lend(bench.place_identity("prod")) as child:
        shown = _shown(child.pid)

    assert "never-shown" not in shown
    assert "AZURE_CLIENT_SECRET" not in shown
    assert "Bearer" not in shown


def _shown(pid: int) -> str:
    """What every process of this user may read of another."""
    return f"{environment_of(pid)} {Path(f'/proc/{pid}/cmdline').read_text()}"
