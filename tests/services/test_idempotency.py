"""Idempotency keys: the answer is written with what it guards, or not at all."""

import asyncio

import psycopg
import pytest

from app.core.errors import IdempotencyKeyReusedError, NotFoundError
from app.services.idempotency import Answer, guarded
from app.storage.database import Transaction
from app.storage.idempotency import IdempotencyKey
from tests.building import Building, built


def key(fingerprint: str = "same") -> IdempotencyKey:
    return IdempotencyKey(
        project="default", principal="key_t", key="k1", fingerprint=fingerprint
    )


async def test_a_twin_waits_for_the_first_and_gets_its_answer(
    database_url: str,
) -> None:
    async with built(database_url) as building:
        begun, finish = asyncio.Event(), asyncio.Event()

        async def slow(_: Transaction) -> Answer:
            begun.set()
            await finish.wait()
            return Answer(status=202, body={"by": "first"})

        async def never(_: Transaction) -> Answer:
            raise AssertionError("the twin must not act")

        first = asyncio.create_task(guarded(building.context, key(), slow))
        await begun.wait()
        twin = asyncio.create_task(guarded(building.context, key(), never))
        finish.set()
        answers = await asyncio.gather(first, twin)

    assert [one.body for one in answers] == [{"by": "first"}] * 2
    assert [one.is_replayed for one in answers] == [False, True]


async def test_a_failed_action_leaves_neither_rows_nor_its_key(
    database_url: str,
) -> None:
    async with built(database_url) as building:

        async def fail(_: Transaction) -> Answer:
            raise NotFoundError("nothing there")

        with pytest.raises(NotFoundError):
            await guarded(building.context, key(), fail)

        assert (await _answered(building)).status == 201


async def test_another_request_is_refused(database_url: str) -> None:
    async with built(database_url) as building:
        await _answered(building)

        with pytest.raises(IdempotencyKeyReusedError):
            await guarded(building.context, key("other"), _answer)


async def test_a_secret_is_replayed_and_stands_nowhere_in_the_clear(
    database_url: str,
) -> None:
    async with built(database_url) as building:

        async def secretive(_: Transaction) -> Answer:
            return Answer(status=201, body={}, secret_fields={"secret": "whsec_x"})

        await guarded(building.context, key(), secretive)
        again = await guarded(building.context, key(), secretive)
        stored = await _stored(database_url)

    assert b"whsec_x" not in stored
    assert again.is_replayed
    assert again.secret_fields == {"secret": "whsec_x"}


async def _answered(building: Building) -> Answer:
    return await guarded(building.context, key(), _answer)


async def _stored(database_url: str) -> bytes:
    statement = "SELECT row_to_json(k)::text || encode(secret, 'escape') AS row "
    async with await psycopg.AsyncConnection.connect(database_url) as connection:
        found = await connection.execute(statement + "FROM idempotency_keys AS k")
        row = await found.fetchone()
    assert row is not None
    return str(row[0]).encode()


async def _answer(_: Transaction) -> Answer:
    return Answer(status=201, body={"a": 1}, headers={"Location": "here"})
