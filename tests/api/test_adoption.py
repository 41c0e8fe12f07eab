"""Web services that stand at Azure are taken over, and nothing is changed there."""

from collections.abc import AsyncIterator
from dataclasses import replace

import httpx
import pytest

from app.core.aci_options import AciOptions
from app.core.adoption import StandingService
from app.core.principal import Scope
from app.core.target import Handle
from tests.api.azure import aci, asked, azure_housed, bring_up
from tests.api.house import Api, model, pointers
from tests.inspecting import FakeReader

OWN = "/v1/workspaces/azure"
KEY = {"Idempotency-Key": "one"}


@pytest.fixture
async def api(database_url: str) -> AsyncIterator[Api]:
    async with azure_housed(database_url) as opened:
        opened.building.service_reader = FakeReader()
        yield opened


async def test_an_adopted_service_is_live_and_untouched(api: Api) -> None:
    await _stands(api, "churn", "sales")
    caller = await api.caller(Scope.READ, Scope.DEPLOY)
    sent = {"names": ["churn", "sales"]}
    path = f"{OWN}/services/adopt"

    adopted = await asked(api, caller.post(path, json=sent, headers=KEY), answers=2)

    shown = (await caller.get(f"{OWN}/deployments/churn")).json()
    assert adopted.status_code == 201
    assert [one["name"] for one in adopted.json()["items"]] == sent["names"]
    assert adopted.json()["items"][0]["links"]["self"].endswith(shown["id"])
    assert (shown["state"], shown["serving"]) == ("live", True)
    assert shown["scoring_uri"] == "http://churn.example.com/score"
    assert shown["spec"]["target"]["cpu_cores"] == 2.0
    assert shown["model"]["uri"] == "models:/diabetes-model/1"
    assert shown["latest_operation"]["kind"] == "adopt"
    assert aci(api).applied == []


async def test_an_adopted_service_is_told_of_as_any_other(api: Api) -> None:
    await _stands(api, "churn")
    [shown] = (await _adopt(api, "churn")).json()["items"]

    page = (await api.admin.get(f"/v1/deployments/{shown['id']}/events")).json()

    told = [(one["sequence"], one["type"]) for one in page["items"]]
    assert told == [(1, "deployment.accepted"), (2, "deployment.live")]
    assert "adopted" in page["items"][1]["data"]["detail"]


async def test_the_first_change_of_an_adopted_service_says_that_it_marks_it(
    api: Api,
) -> None:
    await _stands(api, "churn")
    [shown] = (await _adopt(api, "churn")).json()["items"]
    own = f"/v1/deployments/{shown['id']}"

    changes = [
        (await api.admin.patch(own, json={"description": text})).json()
        for text in ("ours",)
    ]
    await api.work(changes[0])
    second = (await api.admin.patch(own, json={"description": "still"})).json()
    await api.work(second)

    events = (await api.admin.get(f"{own}/events?limit=200")).json()["items"]
    details = [one["data"].get("detail") or "" for one in events]
    assert sum("ownership mark" in one for one in details) == 1
    assert [_adopts(one.handle) for one in aci(api).requests] == [True, True]
    assert (await api.admin.get(own)).json()["serving_revision"] == 3


async def test_only_what_slipway_adopted_is_taken_over(api: Api) -> None:
    await bring_up(api)

    assert [_adopts(one.handle) for one in aci(api).requests] == [False]


async def test_all_are_adopted_or_none(api: Api) -> None:
    await _stands(api, "churn")

    refused = await asked(
        api,
        api.admin.post(
            f"{OWN}/services/adopt",
            json={"names": ["churn", "nobody"]},
            headers=KEY,
        ),
        answers=2,
    )

    assert refused.status_code == 422
    assert pointers(refused) == ["/names/1"]
    assert (await api.admin.get(f"{OWN}/deployments/churn")).status_code == 404


async def test_a_service_that_has_a_deployment_is_not_adopted_again(
    api: Api,
) -> None:
    await _stands(api, "churn")
    await _adopt(api, "churn")

    refused = await _adopt(api, "churn", key="two")

    assert refused.status_code == 409
    assert refused.json()["code"] == "name_taken"


async def test_the_same_request_again_gets_the_first_answer(api: Api) -> None:
    await _stands(api, "churn")
    first = await _adopt(api, "churn")
    api.building.service_reader = FakeReader()

    again = await _adopt(api, "churn")

    assert again.json() == first.json()
    assert again.headers["Idempotency-Replayed"] == "true"


async def test_what_no_request_could_ask_for_is_not_adopted(api: Api) -> None:
    await _stands(api, "churn")
    reader = api.building.service_reader
    assert isinstance(reader, FakeReader)
    reader.standing["churn"] = replace(reader.standing["churn"], description="x" * 2000)

    refused = await _adopt(api, "churn")

    assert refused.status_code == 422
    assert pointers(refused) == ["/names/0"]


async def _stands(api: Api, *names: str) -> None:
    reader = api.building.service_reader
    assert isinstance(reader, FakeReader)
    for name in names:
        reader.standing[name] = StandingService(
            name=name,
            state="Healthy",
            options=AciOptions(kind="aci", cpu_cores=2.0),
            model=model(),
            scoring_uri=f"http://{name}.example.com/score",
        )


async def _adopt(api: Api, name: str, *, key: str = "one") -> httpx.Response:
    sent = api.admin.post(
        f"{OWN}/services/adopt",
        json={"names": [name]},
        headers={"Idempotency-Key": key},
    )
    return await asked(api, sent)


def _adopts(handle: Handle | None) -> bool:
    return handle is not None and handle.get("adopted") is True
