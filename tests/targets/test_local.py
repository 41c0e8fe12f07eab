"""The life of a revision on target `local`, with servers that are up at once."""

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.core.failure import FailureCode, TargetError
from app.core.lease import LeaseLostError
from app.core.target import (
    Invocation,
    ObservedPhase,
    SupportsInvoke,
    SupportsLogs,
    SupportsTraffic,
)
from app.targets.failures import store_unavailable
from tests.fakes import FakeLease
from tests.support import eventually
from tests.targets.leases import LostLease
from tests.targets.locals import FakeFetcher, ready, request, running_target, settled
from tests.targets.processes import entries, environment_of, files_below, pids_of

LEASE = FakeLease()


async def answer(target: Any, handle: Any, body: bytes = b"{}") -> str:  # noqa: ANN401
    result = await target.invoke(handle, Invocation(body=body))
    return str(result.body.decode())


async def test_it_has_the_abilities_that_the_runner_asks_for(short_path: Path) -> None:
    async with running_target(short_path, FakeFetcher()) as target:
        assert isinstance(target, SupportsTraffic)
        assert isinstance(target, SupportsInvoke)
        assert isinstance(target, SupportsLogs)


async def test_a_revision_gets_ready_and_answers(short_path: Path) -> None:
    async with running_target(short_path, FakeFetcher()) as target:
        handle = await target.apply(request(), LEASE)
        await ready(target, handle)

        assert await answer(target, handle) == '"1"'


async def test_a_revision_that_loads_its_model_is_starting(short_path: Path) -> None:
    fetcher = FakeFetcher({"models:/m/1": {"hangs": True}})
    async with running_target(short_path, fetcher) as target:
        handle = await target.apply(request(), LEASE)

        seen = await target.observe(handle)

        assert seen.phase is ObservedPhase.STARTING
        assert seen.progress == "loading the model"


async def test_applying_again_finds_what_runs(short_path: Path) -> None:
    fetcher = FakeFetcher()
    async with running_target(short_path, fetcher) as target:
        handle = await target.apply(request(), LEASE)
        await ready(target, handle)
        before = pids_of(short_path)

        again = await target.apply(request(), LEASE)

        assert again == handle
        assert pids_of(short_path) == before
        assert len(before) == 1
        assert fetcher.fetched == ["models:/m/1"]


async def test_applying_at_once_starts_one_process(short_path: Path) -> None:
    fetcher = FakeFetcher()
    async with running_target(short_path, fetcher) as target:
        applied = (target.apply(request(), LEASE) for _ in range(5))
        handles = await asyncio.gather(*applied)
        await ready(target, handles[0])

        assert len(pids_of(short_path)) == 1
        assert len(fetcher.fetched) == 1


async def test_a_slot_that_was_never_applied_is_missing(short_path: Path) -> None:
    async with running_target(short_path, FakeFetcher()) as target:
        for handle in ({"server": "dep_1-r1"}, {}):
            seen = await target.observe(dict(handle))

            assert seen.phase is ObservedPhase.MISSING


async def test_deleting_what_is_missing_is_success(short_path: Path) -> None:
    async with running_target(short_path, FakeFetcher()) as target:
        await target.delete({"server": "dep_1-r1"}, LEASE)
        await target.close("nowhere")


async def test_deleting_leaves_neither_a_process_nor_a_file(short_path: Path) -> None:
    async with running_target(short_path, FakeFetcher()) as target:
        handle = await target.apply(request(), LEASE)
        await ready(target, handle)

        await target.delete(handle, LEASE)

        assert pids_of(short_path) == []
        assert files_below(short_path) == []
        assert (await target.observe(handle)).phase is ObservedPhase.MISSING


async def test_without_a_lease_nothing_is_changed(short_path: Path) -> None:
    fetcher = FakeFetcher()
    async with running_target(short_path, fetcher) as target:
        with pytest.raises(LeaseLostError):
            await target.apply(request(), LostLease())
        with pytest.raises(LeaseLostError):
            await target.delete({"server": "dep_1-r1"}, LostLease())

        assert fetcher.fetched == []


async def test_a_model_that_does_not_load_is_quoted(short_path: Path) -> None:
    fetcher = FakeFetcher({"models:/m/1": {"fails": "the weights are missing"}})
    async with running_target(short_path, fetcher) as target:
        handle = await target.apply(request(), LEASE)

        seen = await settled(target, handle)

        assert seen.phase is ObservedPhase.FAILED
        assert seen.failure is not None
        assert seen.failure.code is FailureCode.MODEL_LOAD_FAILED
        assert seen.failure.cause == "RuntimeError: the weights are missing"
        assert seen.failure.evidence.log_tail[0] == "loading"
        assert seen.failure.remedy


async def test_a_model_that_takes_too_long_is_ended(short_path: Path) -> None:
    fetcher = FakeFetcher({"models:/m/1": {"hangs": True}})
    async with running_target(short_path, fetcher) as target:
        handle = await target.apply(request(startup_timeout_seconds=1), LEASE)

        seen = await settled(target, handle)

        assert seen.phase is ObservedPhase.FAILED
        assert seen.failure is not None
        assert "startup_timeout_seconds" in seen.failure.message
        assert pids_of(short_path) == []


async def test_a_crash_is_noticed_with_how_it_ended(short_path: Path) -> None:
    async with running_target(short_path, FakeFetcher()) as target:
        handle = await target.apply(request(), LEASE)
        await ready(target, handle)

        with pytest.raises(TargetError) as error:
            await answer(target, handle, b"crash")
        seen = await settled(target, handle)

        assert error.value.transient
        assert seen.phase is ObservedPhase.UNREACHABLE
        assert "status 9" in seen.message


async def test_a_signal_is_noticed_with_its_name(short_path: Path) -> None:
    async with running_target(short_path, FakeFetcher()) as target:
        handle = await target.apply(request(), LEASE)
        await ready(target, handle)

        os.kill(pids_of(short_path)[0], signal.SIGSEGV)
        await eventually(lambda: not pids_of(short_path))
        seen = await target.observe(handle)

        assert seen.phase is ObservedPhase.UNREACHABLE
        assert "SIGSEGV" in seen.message


async def test_a_crashed_revision_stays_down_until_it_is_applied_again(
    short_path: Path,
) -> None:
    fetcher = FakeFetcher()
    async with running_target(short_path, fetcher) as target:
        handle = await target.apply(request(), LEASE)
        await ready(target, handle)
        with pytest.raises(TargetError):
            await answer(target, handle, b"crash")
        down = (await settled(target, handle)).phase

        await target.apply(request(), LEASE)
        await ready(target, handle)

        assert down is ObservedPhase.UNREACHABLE
        assert await answer(target, handle) == '"1"'
        assert fetcher.fetched == ["models:/m/1"]


async def test_the_log_of_a_crash_is_kept_over_the_new_start(short_path: Path) -> None:
    async with running_target(short_path, FakeFetcher()) as target:
        handle = await target.apply(request(), LEASE)
        await ready(target, handle)
        with pytest.raises(TargetError):
            await answer(target, handle, b"crash")
        await settled(target, handle)

        await target.apply(request(), LEASE)
        await ready(target, handle)
        lines = await target.logs(handle, source="model", tail=100)

        assert lines.count("loading") == 2
        assert "asked to crash" in lines
        assert await target.logs(handle, source="model", tail=1) == ["loading"]
        assert await target.logs(handle, source="build", tail=5) == []


async def test_after_a_restart_it_comes_back_from_its_files(short_path: Path) -> None:
    fetcher = FakeFetcher()
    async with running_target(short_path, fetcher) as target:
        handle = await target.apply(request(), LEASE)
        await ready(target, handle)
    gone = pids_of(short_path)

    async with running_target(short_path, fetcher) as target:
        missing = await target.observe(handle)
        await target.apply(request(), LEASE)
        await ready(target, handle)

        assert gone == []
        assert missing.phase is ObservedPhase.MISSING
        assert await answer(target, handle) == '"1"'
        assert fetcher.fetched == ["models:/m/1"]


async def test_two_deployments_never_collide(short_path: Path) -> None:
    async with running_target(short_path, FakeFetcher()) as target:
        handles = [
            await target.apply(request(version, deployment=deployment), LEASE)
            for version, deployment in (("1", "dep_1"), ("2", "dep_2"))
        ]
        uris = []
        for number, handle in enumerate(handles):
            await ready(target, handle)
            exposure = await target.shift(f"endpoint {number}", handle, previous=None)
            uris.append(exposure.scoring_uri)

        async with httpx.AsyncClient() as client:
            answers = [(await client.post(uri, content=b"{}")).text for uri in uris]

        assert answers == ['"1"', '"2"']
        assert len(set(uris)) == 2


async def test_a_failed_fetch_leaves_nothing_behind(short_path: Path) -> None:
    fetcher = FakeFetcher(broken=[store_unavailable("it is down")])
    async with running_target(short_path, fetcher) as target:
        with pytest.raises(TargetError) as error:
            await target.apply(request(), LEASE)
        left = entries(short_path / "servers")

        handle = await target.apply(request(), LEASE)
        await ready(target, handle)

        assert error.value.transient
        assert left == []


async def test_settings_of_the_deployment_reach_the_model_and_no_others(
    short_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_CLIENT_SECRET", "hidden")
    monkeypatch.setenv("SLIPWAY_DATABASE_URL", "hidden")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy")
    async with running_target(short_path, FakeFetcher()) as target:
        wanted = {"GREETING": "hello", "HOME": "/elsewhere"}
        handle = await target.apply(request(environment_variables=wanted), LEASE)
        await ready(target, handle)

        found = environment_of(pids_of(short_path)[0])

        assert found["GREETING"] == "hello"
        assert found["HOME"].startswith(str(short_path))
        assert not {"AZURE_CLIENT_SECRET", "SLIPWAY_DATABASE_URL"} & set(found)
        assert "HTTPS_PROXY" not in found
