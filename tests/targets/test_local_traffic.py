"""The address of a local endpoint over revisions, crashes and restarts."""

import asyncio
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from app.core.failure import TargetError
from app.core.target import Invocation
from tests.fakes import FakeLease
from tests.support import eventually
from tests.targets.locals import FakeFetcher, ready, request, running_target

LEASE = FakeLease()


async def test_the_address_stays_when_the_revision_changes(short_path: Path) -> None:
    async with running_target(short_path, FakeFetcher()) as target:
        first = await target.apply(request("1", slot="r1"), LEASE)
        second = await target.apply(request("2", slot="r2"), LEASE)
        await ready(target, first)
        await ready(target, second)

        before = await target.shift("e", first, previous=None)
        after = await target.shift("e", second, previous=before.scoring_uri)
        async with httpx.AsyncClient() as client:
            answer = await client.post(after.scoring_uri, content=b"{}")

        assert after == before
        assert answer.text == '"2"'


async def test_no_request_is_lost_in_a_switch_under_load(short_path: Path) -> None:
    async with running_target(short_path, FakeFetcher()) as target:
        first = await target.apply(request("1", slot="r1"), LEASE)
        second = await target.apply(request("2", slot="r2"), LEASE)
        await ready(target, first)
        await ready(target, second)
        uri = (await target.shift("e", first, previous=None)).scoring_uri
        stop = asyncio.Event()
        answers: list[str] = []

        async def caller(body: bytes) -> None:
            async with httpx.AsyncClient() as client:
                while not stop.is_set():
                    answer = await client.post(uri, content=body)
                    answers.append(f"{answer.status_code} {answer.text}")

        async with asyncio.TaskGroup() as group:
            for number in range(8):
                group.create_task(caller(b"wait" if number % 2 else b"{}"))
            await eventually(lambda: len(answers) > 40)
            await target.shift("e", second, previous=uri)
            await target.delete(first, LEASE)
            switched_at = len(answers)
            await eventually(lambda: len(answers) > switched_at + 40)
            stop.set()

        assert set(answers) == {'200 "1"', '200 "2"'}
        assert set(answers[switched_at + 16 :]) == {'200 "2"'}


async def test_a_crashed_model_answers_503_and_comes_back_at_its_address(
    short_path: Path,
) -> None:
    async with running_target(short_path, FakeFetcher()) as target:
        handle = await target.apply(request(), LEASE)
        await ready(target, handle)
        uri = (await target.shift("e", handle, previous=None)).scoring_uri
        async with httpx.AsyncClient() as client:
            crashing = await client.post(uri, content=b"crash")
            down = await client.post(uri, content=b"{}")

            await target.apply(request(), LEASE)
            await ready(target, handle)
            back = await client.post(uri, content=b"{}")

        for refused in (crashing, down):
            assert refused.status_code == 503
            assert refused.headers["content-type"] == "application/problem+json"
            assert refused.json()["remedy"]
        assert back.text == '"1"'


async def test_the_address_stays_over_a_restart_of_the_service(
    short_path: Path,
) -> None:
    fetcher = FakeFetcher()
    async with running_target(short_path, fetcher) as target:
        handle = await target.apply(request(), LEASE)
        before = await target.shift("e", handle, previous=None)

    async with running_target(short_path, fetcher) as target:
        await target.apply(request(), LEASE)
        after = await target.shift("e", handle, previous=before.scoring_uri)

    assert after == before


async def test_an_address_that_somebody_else_has_taken_is_replaced(
    short_path: Path,
) -> None:
    other = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    taken = other.sockets[0].getsockname()[1]
    async with other, running_target(short_path, FakeFetcher()) as target:
        handle = await target.apply(request(), LEASE)
        previous = f"http://127.0.0.1:{taken}/invocations"

        exposure = await target.shift("e", handle, previous=previous)

        assert urlsplit(exposure.scoring_uri).port not in {None, taken}


async def test_a_closed_address_refuses_connections(short_path: Path) -> None:
    async with running_target(short_path, FakeFetcher()) as target:
        handle = await target.apply(request(), LEASE)
        uri = (await target.shift("e", handle, previous=None)).scoring_uri

        await target.close("e")

        async with httpx.AsyncClient() as client:
            with pytest.raises(httpx.ConnectError):
                await client.post(uri, content=b"{}")


async def test_asking_a_revision_that_does_not_run_is_a_transient_error(
    short_path: Path,
) -> None:
    async with running_target(short_path, FakeFetcher()) as target:
        with pytest.raises(TargetError) as error:
            await target.invoke({"server": "dep_1-r1"}, Invocation(body=b"{}"))

        assert error.value.transient
