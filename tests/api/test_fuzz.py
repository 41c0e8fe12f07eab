"""Whatever is sent, the server is never at fault, and answers a problem."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.api.house import BODY, PATH, Api, housed

# Shrinking would send thousands more requests to say what the first one said.
FEW = settings(
    max_examples=60,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)

TEXT = st.text(max_size=20)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | TEXT
JSON = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3)
    ),
    max_leaves=8,
)
FIELDS = st.sampled_from(
    [
        "model",
        "target",
        "description",
        "tags",
        "properties",
        "verify",
        "rollout",
        "webhook",
        "deadline_seconds",
        "expected_revision",
        "allow_recreate",
        "name",
    ]
)
QUERIES = st.sampled_from(
    [
        "limit",
        "cursor",
        "after",
        "state",
        "tag",
        "sort",
        "name",
        "model",
        "created_after",
    ]
)


@pytest.fixture
async def api(database_url: str, tmp_path: Path) -> AsyncIterator[Api]:
    # No moving URI may be resolved: nobody answers queries here.
    async with housed(database_url, store=tmp_path) as opened:
        await opened.live()
        yield opened


@FEW
@given(changes=st.dictionaries(FIELDS, JSON, max_size=3))
async def test_no_body_of_a_put_fails_the_server(
    api: Api, changes: dict[str, Any]
) -> None:
    await _send(api, "PUT", f"{PATH}?queue=true", {**BODY, **changes})


@FEW
@given(changes=st.dictionaries(FIELDS | TEXT, JSON, max_size=3))
async def test_no_merge_patch_fails_the_server(
    api: Api, changes: dict[str, Any]
) -> None:
    shown = (await api.admin.get(PATH)).json()

    await _send(api, "PATCH", f"/v1/deployments/{shown['id']}?queue=true", changes)


@FEW
@given(
    body=st.fixed_dictionaries(
        {}, optional={"name": JSON, "url": JSON, "events": JSON, "enabled": JSON}
    )
)
async def test_no_webhook_fails_the_server(api: Api, body: dict[str, Any]) -> None:
    await _send(api, "POST", "/v1/webhooks", body)


@FEW
@given(query=st.dictionaries(QUERIES, TEXT, max_size=3))
async def test_no_query_fails_the_server(api: Api, query: dict[str, str]) -> None:
    params = {name: text.encode(errors="surrogatepass") for name, text in query.items()}

    for path in ("/v1/deployments", "/v1/operations", "/v1/events", "/v1/webhooks"):
        answer = await api.admin.get(path, params=params)
        assert answer.status_code < 500, answer.text


async def _send(api: Api, method: str, path: str, body: Any) -> None:  # noqa: ANN401
    answer = await api.admin.request(
        method,
        path,
        content=json.dumps(body).encode(errors="surrogatepass"),
        headers={"Content-Type": "application/json", "Idempotency-Key": "fuzz"},
    )

    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["code"] != "internal_error"
