"""Secrets in options: they go in, and no way out ever shows them."""

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import httpx
import psycopg
import pytest
from psycopg import sql
from structlog.testing import capture_logs

from app.services.queries import read_question
from app.services.secrets import reveal
from app.storage import deployments, queries
from tests.api.azure import PATH, azure_housed, body
from tests.api.house import Api, pointers

PLAINTEXT = "wJalrXUtnFEMI-never-shown-bPxRfiCY"
SSL = {
    "ssl_enabled": True,
    "ssl_cert_pem": {"value": "the certificate"},
    "ssl_key_pem": {"value": "its key"},
    "ssl_cname": "scoring.example.com",
}
FIELDS = [
    ("aci", "ssl_cert_pem", SSL),
    ("aci", "ssl_key_pem", SSL),
    ("aci", "primary_key", {}),
    ("aci", "secondary_key", {}),
    ("aks", "primary_key", {}),
    ("aks", "secondary_key", {}),
]
EACH_FIELD = pytest.mark.parametrize(("kind", "field", "beside"), FIELDS)


@pytest.fixture
async def api(database_url: str) -> AsyncIterator[Api]:
    async with azure_housed(database_url) as opened:
        yield opened


@EACH_FIELD
async def test_a_secret_never_comes_back(
    api: Api,
    caplog: pytest.LogCaptureFixture,
    kind: str,
    field: str,
    beside: dict[str, Any],
) -> None:
    answers: list[bytes] = []
    caplog.set_level(logging.DEBUG)

    async def listen(response: httpx.Response) -> None:
        answers.append(await response.aread() + repr(response.headers).encode())

    api.admin.event_hooks["response"] = [listen]
    sent = body(kind, **{**beside, field: {"value": PLAINTEXT}})
    with capture_logs() as logs:
        await _live_a_whole_life(api, field, sent)

    assert len(answers) > 12
    assert caplog.messages
    logged = repr(logs) + caplog.text
    shown = b"".join(answers).decode() + logged + await _dump(api)
    assert "sec_" in shown
    for form in (PLAINTEXT, PLAINTEXT.encode().hex()):
        assert form not in shown


@EACH_FIELD
async def test_a_worker_reads_the_secret(
    api: Api, kind: str, field: str, beside: dict[str, Any]
) -> None:
    sent = body(kind, **{**beside, field: {"value": PLAINTEXT}})
    shown = (await api.admin.put(PATH, json=sent)).json()

    context = api.building.context
    async with context.database.reading() as connection:
        found, _ = await deployments.get(connection, shown["id"], project=None)
        revealed = await reveal(context, connection, found.spec.target)

    assert revealed[field] == PLAINTEXT


@EACH_FIELD
@pytest.mark.parametrize(
    "given",
    [
        "/etc/ssl/private/key.pem",
        {"value": "env:HOME"},
        {"value": "file:/etc/passwd"},
        {"value": "x", "secret": "ours"},
        {"path": "/etc/passwd"},
        {},
    ],
)
async def test_a_path_or_a_reference_is_no_secret(
    api: Api, kind: str, field: str, beside: dict[str, Any], given: object
) -> None:
    refused = await api.admin.put(PATH, json=body(kind, **{**beside, field: given}))

    assert refused.status_code == 422
    assert all(one.startswith(f"/target/{field}") for one in pointers(refused))
    assert "passwd" not in refused.text
    assert (await api.admin.get(PATH)).status_code == 404


async def test_the_same_value_again_changes_nothing(api: Api) -> None:
    sent = body(primary_key={"value": PLAINTEXT})
    first = await _put(api, sent)

    again = await api.admin.put(PATH, json=sent)
    other = await api.admin.put(PATH, json=body(primary_key={"value": "another one"}))

    assert again.status_code == 200
    assert again.json()["spec"] == first["spec"]
    assert other.status_code == 202
    assert (
        other.json()["spec"]["target"]["primary_key"]
        != (first["spec"]["target"]["primary_key"])
    )
    assert await api.count("secrets") == 2


async def test_what_answers_show_may_be_sent_back(api: Api) -> None:
    first = await _put(api, body(primary_key={"value": PLAINTEXT}))

    same = await api.admin.put(PATH, json=first["spec"])
    patched = await api.admin.patch(
        f"/v1/deployments/{first['id']}", json={"description": "ours"}
    )

    assert same.status_code == 200
    assert patched.status_code == 202
    assert patched.json()["spec"]["target"] == first["spec"]["target"]


async def test_a_patch_puts_a_secret_in_place_of_another(api: Api) -> None:
    first = await _put(api, body(primary_key={"value": PLAINTEXT}))
    path = f"/v1/deployments/{first['id']}"

    patch = {"target": {"primary_key": {"secret": "ours"}}}
    named = await api.admin.patch(path, json=patch)

    assert named.status_code == 202
    target = named.json()["spec"]["target"]
    assert target["primary_key"] == {"value": None, "secret": "ours", "kept": None}


async def test_a_reference_that_does_not_stand_there_is_422(api: Api) -> None:
    first = await _put(api, body(primary_key={"value": PLAINTEXT}))
    kept = first["spec"]["target"]["primary_key"]

    swapped = await api.admin.put(PATH, json=body(secondary_key=kept))
    elsewhere = await api.admin.put(
        PATH.replace("diabetes", "other"), json=body(primary_key=kept)
    )

    for refused, field in ((swapped, "secondary_key"), (elsewhere, "primary_key")):
        assert refused.status_code == 422
        assert pointers(refused) == [f"/target/{field}/kept"]


async def test_only_a_secret_of_ones_own_project_can_be_named(api: Api) -> None:
    ours = await api.admin.put(PATH, json=body(primary_key={"secret": "ours"}))
    others = [
        await api.admin.put(
            PATH.replace("diabetes", "other"), json=body(primary_key={"secret": name})
        )
        for name in ("theirs", "nobodys")
    ]

    assert ours.status_code == 202
    assert await api.count("secrets") == 0
    for refused in others:
        assert refused.status_code == 422
        assert pointers(refused) == ["/target/primary_key/secret"]


async def test_secrets_go_with_their_deployment(api: Api) -> None:
    shown = await _put(api, body(primary_key={"value": PLAINTEXT}))
    await api.work(shown)

    await api.work((await api.admin.delete(PATH)).json())

    gone = (await api.admin.get(f"/v1/deployments/{shown['id']}")).json()
    assert gone["state"] == "deleted"
    assert await api.count("secrets") == 0


async def _live_a_whole_life(api: Api, field: str, sent: dict[str, Any]) -> None:
    """Do whatever shows, stores or tells something of a deployment."""
    admin = api.admin
    await admin.post(
        "/v1/webhooks",
        json={"name": "all", "url": "https://hooks.example.com/", "events": ["*"]},
        headers={"Idempotency-Key": "webhook"},
    )
    new = {**sent, "name": "diabetes", "workspace": "azure"}
    for _ in range(2):
        created = await admin.post(
            "/v1/deployments", json=new, headers={"Idempotency-Key": "one"}
        )
    shown = created.json()
    await api.work(shown)
    own = f"/v1/deployments/{shown['id']}"
    await admin.put(PATH, json={**sent, "description": "again"})
    other = {"target": {field: {"value": f"{PLAINTEXT}-2"}}}
    await api.work((await admin.get(own)).json())
    await api.work((await admin.patch(own, json=other)).json())
    await admin.put(PATH, json={**sent, "tags": {"a": 1}})
    await _try_only(api, sent)
    for path in (
        PATH,
        own,
        f"{own}/revisions",
        f"{own}/events",
        f"{own}/logs?source=operation",
        "/v1/deployments",
        "/v1/operations",
        "/v1/events",
        "/v1/webhooks",
    ):
        assert (await admin.get(path)).status_code == 200, path
    rolled = await admin.post(f"{own}/rollback", json={"revision": 1})
    assert rolled.status_code == 202, rolled.text
    await api.work(rolled.json())


async def _try_only(api: Api, sent: dict[str, Any]) -> None:
    """Let `validate_only` ask a worker, which is shown no value either."""
    context = api.building.context
    stored = await api.count("secrets")
    asked = api.admin.put(f"{PATH}?validate_only=true", json=sent)
    tried, question = await _meanwhile(api, asked)
    assert tried.status_code == 200, tried.text
    assert PLAINTEXT not in repr(question)
    assert await api.count("secrets") == stored
    assert context.cipher is not None


async def _meanwhile(api: Api, asked: Any) -> tuple[httpx.Response, object]:  # noqa: ANN401
    context, seen = api.building.context, []

    async def answer() -> None:
        query_id = await api.open_query()
        async with context.database.reading() as connection:
            found = await queries.question(connection, query_id)
        assert found is not None
        seen.append(read_question(context, query_id, found[1]))
        await api.answer_query()

    async with asyncio.TaskGroup() as group:
        answering = group.create_task(answer())
        tried = await asked
        await answering
    return tried, seen


async def _put(api: Api, sent: dict[str, Any]) -> dict[str, Any]:
    accepted = await api.admin.put(PATH, json=sent)
    assert accepted.status_code == 202, accepted.text
    await api.work(accepted.json())
    return dict((await api.admin.get(PATH)).json())


async def _dump(api: Api) -> str:
    """Return every row of every table as text."""
    url = api.building.context.database.url
    async with await psycopg.AsyncConnection.connect(url) as connection:
        tables = await connection.execute(
            "SELECT table_name FROM information_schema.tables"
            " WHERE table_schema = 'public' AND table_type = 'BASE TABLE'"
        )
        rows: list[str] = []
        for (name,) in await tables.fetchall():
            query = sql.SQL("SELECT t::text FROM {} AS t").format(sql.Identifier(name))
            rows += [
                str(row) for row in await (await connection.execute(query)).fetchall()
            ]
    assert len(rows) > 20
    return "\n".join(rows)
