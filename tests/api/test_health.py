"""Probes, without a key."""

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from tests.api.house import Api, housed


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/startupz"])
async def test_a_healthy_process_says_so(api: Api, path: str) -> None:
    del api.admin.headers["Authorization"]

    answer = await api.admin.get(path)

    assert answer.status_code == 200
    assert answer.json() == {"status": "ok"}


async def test_a_draining_process_lives_and_is_not_ready(api: Api) -> None:
    api.stopping.set()

    ready = await api.admin.get("/readyz")

    assert ready.status_code == 503
    assert ready.json()["code"] == "unavailable"
    assert int(ready.headers["retry-after"]) > 0
    assert (await api.admin.get("/livez")).status_code == 200


async def test_another_schema_is_not_ready(api: Api) -> None:
    await api.execute("UPDATE alembic_version SET version_num = 'another'")

    answer = await api.admin.get("/readyz")

    assert answer.status_code == 503
    assert "migrate" in answer.json()["remedy"]


async def test_a_lost_database_is_503_with_retry_after(database_url: str) -> None:
    async with housed(database_url) as api:
        await _lose(database_url)

        for path in ("/readyz", "/v1/deployments"):
            answer = await api.admin.get(path)
            assert answer.status_code == 503
            assert answer.json()["code"] == "unavailable"
            assert int(answer.headers["retry-after"]) > 0
        assert (await api.admin.get("/livez")).status_code == 200


async def _lose(database_url: str) -> None:
    """Throw everybody out of the database and let nobody in again."""
    name = str(conninfo_to_dict(database_url)["dbname"])
    server = database_url.replace(f"/{name}?", "/slipway?")
    close = sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false")
    throw_out = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname=%s"
    )
    async with await psycopg.AsyncConnection.connect(
        server, autocommit=True
    ) as connection:
        await connection.execute(close.format(sql.Identifier(name)))
        await connection.execute(throw_out, [name])
