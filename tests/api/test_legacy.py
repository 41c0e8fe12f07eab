"""Targets of Azure ML's first version: that they are legacy, their logs, findings."""

import asyncio
import re
from collections.abc import AsyncIterator

import pytest

from tests.api.azure import PATH, azure_housed, body, bring_up
from tests.api.house import PATH as LOCAL
from tests.api.house import Api


@pytest.fixture
async def api(database_url: str) -> AsyncIterator[Api]:
    async with azure_housed(database_url) as opened:
        yield opened


async def test_answers_about_legacy_targets_say_so(api: Api) -> None:
    accepted = await api.admin.put(PATH, json=body())
    shown = await api.admin.get(PATH)
    by_id = await api.admin.get(f"/v1/deployments/{accepted.json()['id']}")
    local = await api.put(LOCAL)

    for answer in (accepted, shown, by_id):
        assert re.fullmatch(r"@\d+", answer.headers["Deprecation"])
        relations = re.findall(
            r'<https://[^>]+>; rel="([a-z-]+)"', answer.headers["Link"]
        )
        assert relations == ["deprecation", "successor-version"]
    assert "Deprecation" not in local.headers


@pytest.mark.parametrize("source", ["model", "build"])
async def test_a_web_service_has_logs_of_its_model_and_its_build(
    api: Api, source: str
) -> None:
    shown = await bring_up(api)
    path = f"/v1/deployments/{shown['id']}/logs?source={source}"

    answer, _ = await asyncio.gather(api.admin.get(path), api.answer_query())

    assert answer.json()["lines"] == [f"r1 {source} log"]


@pytest.mark.parametrize(
    "query", ["source=storage_initializer", "since=2026-01-01T00:00:00Z"]
)
async def test_what_azure_keeps_no_log_of_is_409(api: Api, query: str) -> None:
    shown = await bring_up(api)

    answer = await api.admin.get(f"/v1/deployments/{shown['id']}/logs?{query}")

    assert answer.status_code == 409
    assert answer.json()["code"] == "not_supported"


async def test_an_option_without_effect_is_a_finding_before_and_progress_after(
    api: Api,
) -> None:
    asked = api.admin.put(
        f"{PATH}?validate_only=true", json=body(collect_model_data=True)
    )
    tried, _ = await asyncio.gather(asked, api.answer_query())
    shown = await bring_up(api, collect_model_data=True)

    events = await api.admin.get(f"/v1/deployments/{shown['id']}/events?limit=200")

    code = "collect_model_data_retired"
    assert [one["code"] for one in tried.json()["findings"]] == [code]
    details = [one["data"].get("detail") or "" for one in events.json()["items"]]
    assert sum(code in one for one in details) == 1
    assert shown["state"] == "live"
