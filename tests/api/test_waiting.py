"""`Prefer: wait=N`: the answer is held until there is something to say."""

import asyncio
from typing import Any

import pytest

from tests.api.house import BODY, PATH, Api
from tests.support import eventually

WAIT = {"Prefer": "wait=30"}


async def test_a_put_that_waits_answers_once_the_operation_has_ended(api: Api) -> None:
    waiting = asyncio.create_task(api.admin.put(PATH, json=BODY, headers=WAIT))

    await api.work(await eventually(lambda: _shown(api)))
    answer = await waiting

    assert answer.status_code == 202
    assert answer.headers["preference-applied"] == "wait=30"
    assert answer.json()["state"] == "live"
    assert answer.headers["etag"] == (await api.admin.get(PATH)).headers["etag"]


async def test_an_unchanged_put_waits_for_what_was_asked_before(api: Api) -> None:
    accepted = (await api.put()).json()
    waiting = asyncio.create_task(api.admin.put(PATH, json=BODY, headers=WAIT))

    await api.work(accepted)
    answer = await waiting

    assert answer.status_code == 200
    assert answer.json()["state"] == "live"


async def test_a_get_that_waits_answers_on_the_next_change(api: Api) -> None:
    accepted = (await api.put()).json()
    waiting = asyncio.create_task(api.admin.get(PATH, headers=WAIT))

    await api.work(accepted)
    answer = await waiting

    assert answer.json()["state"] in {"deploying", "live"}


async def test_a_get_does_not_wait_while_no_operation_is_open(api: Api) -> None:
    await api.live()

    async with asyncio.timeout(5):
        answer = await api.admin.get(PATH, headers=WAIT)

    assert answer.json()["state"] == "live"
    assert answer.headers["preference-applied"] == "wait=30"


async def test_a_get_that_knows_an_older_state_does_not_wait(api: Api) -> None:
    await api.put()

    async with asyncio.timeout(5):
        answer = await api.admin.get(PATH, headers={**WAIT, "If-None-Match": '"0.0"'})

    assert answer.status_code == 200


async def test_an_operation_is_waited_for_to_its_end(api: Api) -> None:
    accepted = await api.put()
    path = accepted.headers["operation-location"]
    waiting = asyncio.create_task(api.admin.get(path, headers=WAIT))

    await api.work(accepted.json())
    answer = await waiting

    assert answer.json()["state"] == "succeeded"


async def test_time_that_runs_out_answers_what_there_is(api: Api) -> None:
    answer = await api.admin.put(PATH, json=BODY, headers={"Prefer": "wait=1"})

    assert answer.status_code == 202
    assert answer.json()["state"] == "pending"
    assert answer.headers["preference-applied"] == "wait=1"


@pytest.mark.parametrize(
    ("prefer", "applied"),
    [
        ("respond-async, wait=0", "wait=0"),
        ("wait=999999", "wait=60"),
        ('Wait="7"', "wait=7"),
        ("wait=-1", None),
        ("wait=soon", None),
        ("await=5", None),
    ],
)
async def test_the_preference_is_read_leniently_and_bounded(
    api: Api, prefer: str, applied: str | None
) -> None:
    await api.live()

    answer = await api.admin.get(PATH, headers={"Prefer": prefer})

    assert answer.status_code == 200
    assert answer.headers.get("preference-applied") == applied


async def test_a_wait_ends_when_the_process_drains(api: Api) -> None:
    accepted = await api.put()
    path = accepted.headers["operation-location"]
    waiting = asyncio.create_task(api.admin.get(path, headers=WAIT))
    await asyncio.sleep(0)

    api.stopping.set()
    async with asyncio.timeout(5):
        answer = await waiting

    assert answer.json()["state"] == "queued"


async def _shown(api: Api) -> dict[str, Any]:
    answer = await api.admin.get(PATH)
    return dict(answer.json()) if answer.status_code == 200 else {}
