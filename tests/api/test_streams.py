"""Server-sent events over a real server: replay, follow, keep alive, end."""

import asyncio
import json
from collections.abc import AsyncIterator

import httpx
from typing_extensions import override

from app.api.parts import MOST_STREAMS
from app.core.clock import SystemClock
from app.core.principal import Scope
from app.services import keys
from app.storage import keys as stored_keys
from tests.api.house import Api, housed
from tests.api.serving import Frame, frames, served
from tests.support import eventually

STREAM = {"Accept": "text/event-stream"}
# Enough for a busy machine; a test that hangs fails by this.
PATIENCE_SECONDS = 10.0


class HastyClock(SystemClock):
    """A clock that is 20 seconds later at each look."""

    def __init__(self) -> None:
        self._looks = 0

    @override
    def monotonic(self) -> float:
        self._looks += 1
        return 20.0 * self._looks


async def take(stream: AsyncIterator[Frame], count: int) -> list[Frame]:
    async with asyncio.timeout(PATIENCE_SECONDS):
        return [await anext(stream) for _ in range(count)]


async def rest(stream: AsyncIterator[Frame]) -> list[Frame]:
    async with asyncio.timeout(PATIENCE_SECONDS):
        return [frame async for frame in stream]


async def test_a_stream_replays_and_then_follows(api: Api) -> None:
    accepted = (await api.put()).json()
    path = f"/v1/deployments/{accepted['id']}/events"

    async with served(api) as client, client.stream("GET", path, headers=STREAM) as got:
        stream = frames(got)
        replayed = await take(stream, 1)
        working = asyncio.create_task(api.work(accepted))
        followed = await take(stream, 5)
        await working

    assert got.headers["content-type"].startswith("text/event-stream")
    told = [*replayed, *followed]
    assert [frame.id for frame in told] == ["1", "2", "3", "4", "5", "6"]
    assert told[0].event == "deployment.accepted"
    assert json.loads(told[0].data)["sequence"] == 1


async def test_a_stream_goes_on_after_the_last_event_id(api: Api) -> None:
    shown = await api.live()
    path = f"/v1/deployments/{shown['id']}/events?until=end"
    headers = {**STREAM, "Last-Event-ID": "2"}

    async with (
        served(api) as client,
        client.stream("GET", path, headers=headers) as got,
    ):
        told = await rest(frames(got))

    assert told[0].id == "3"
    assert told[-1].event == "deployment.live"


async def test_until_end_waits_for_the_operation_that_runs_now(api: Api) -> None:
    shown = await api.live()
    second = (await api.put(description="second")).json()
    path = f"/v1/deployments/{shown['id']}/events?until=end"

    async with served(api) as client, client.stream("GET", path, headers=STREAM) as got:
        stream = frames(got)
        await take(stream, 3)
        await api.work(second)
        told = await rest(stream)

    assert told[-1].event == "deployment.updated"


async def test_the_stream_over_all_has_a_cursor_for_id(api: Api) -> None:
    await api.put()
    await api.put("/v1/workspaces/prod/deployments/second")

    async with served(api) as client:
        async with client.stream("GET", "/v1/events", headers=STREAM) as got:
            first, second = await take(frames(got), 2)
        headers = {**STREAM, "Last-Event-ID": first.id}
        async with client.stream("GET", "/v1/events", headers=headers) as got:
            again = await take(frames(got), 1)

    assert again == [second]


async def test_a_stream_over_all_tells_of_one_project_alone(api: Api) -> None:
    other = await api.key(Scope.READ, project="other")
    await api.put()
    headers = {**STREAM, "Authorization": f"Bearer {other}"}

    async with (
        served(api) as client,
        client.stream("GET", "/v1/events", headers=headers) as got,
    ):
        stream = aiter(frames(got))
        waiting = asyncio.ensure_future(anext(stream))
        await api.put("/v1/workspaces/prod/deployments/second")
        api.stopping.set()
        ended = await asyncio.gather(waiting, return_exceptions=True)

    assert isinstance(ended[0], StopAsyncIteration)


async def test_a_stream_ends_when_the_process_drains(api: Api) -> None:
    accepted = (await api.put()).json()
    path = f"/v1/deployments/{accepted['id']}/events"

    async with served(api) as client, client.stream("GET", path, headers=STREAM) as got:
        stream = frames(got)
        await take(stream, 1)
        api.stopping.set()
        told = await rest(stream)

    assert told == []


async def test_a_quiet_stream_is_kept_alive(database_url: str) -> None:
    async with housed(database_url, clock=HastyClock()) as api:
        accepted = (await api.put()).json()
        path = f"/v1/deployments/{accepted['id']}/events"
        headers = {**STREAM, "Last-Event-ID": "1"}
        async with (
            served(api) as client,
            client.stream("GET", path, headers=headers) as got,
        ):
            told = await take(frames(got), 1)

    assert told == [Frame(comment="keep-alive")]


async def test_revoking_a_key_ends_its_streams(api: Api) -> None:
    context = api.building.context
    secret = await api.key(Scope.READ)
    accepted = (await api.put()).json()
    path = f"/v1/deployments/{accepted['id']}/events"
    headers = {**STREAM, "Authorization": f"Bearer {secret}"}

    async with (
        served(api) as client,
        client.stream("GET", path, headers=headers) as got,
    ):
        stream = frames(got)
        await take(stream, 1)
        async with context.database.reading() as connection:
            found = await stored_keys.list_all(connection)
        assert await keys.revoke(context, found[-1].id)
        await api.put("/v1/workspaces/prod/deployments/other")
        told = await rest(stream)

    assert told == []


async def test_one_key_cannot_open_more_streams_than_its_share(api: Api) -> None:
    async with served(api) as client, asyncio.TaskGroup() as group:
        leaving = asyncio.Event()
        opened = [
            group.create_task(_hold(client, leaving)) for _ in range(MOST_STREAMS)
        ]
        await eventually(lambda: _open_streams(api) == MOST_STREAMS)

        refused = await client.get("/v1/events", headers=STREAM)
        leaving.set()
        await asyncio.gather(*opened)
        await eventually(lambda: _open_streams(api) == 0)

    assert refused.status_code == 429
    assert refused.json()["code"] == "too_many"
    assert int(refused.headers["retry-after"]) > 0


async def _hold(client: httpx.AsyncClient, leaving: asyncio.Event) -> None:
    async with client.stream("GET", "/v1/events", headers=STREAM):
        await leaving.wait()


def _open_streams(api: Api) -> int:
    count: int = api.app.state.parts.streams.open_streams
    return count
