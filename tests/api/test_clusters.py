"""Clusters over HTTP: accepted, followed, listed with what others made, refused."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.core.cluster_port import ComputePhase
from app.core.failure import FailureCode, TargetError
from app.core.principal import Scope
from tests.api.cluster_api import LIST, PATH, ClusterApi
from tests.api.house import housed, pointers
from tests.fake_clusters import ClusterHouse, add_azure_workspace
from tests.fakes import failure


@pytest.fixture
async def opened(database_url: str, tmp_path: Path) -> AsyncIterator[ClusterApi]:
    async with housed(database_url, store=tmp_path) as api:
        workspace = await add_azure_workspace(api.building.context)
        house = ClusterHouse(building=api.building, workspace=workspace)
        yield ClusterApi(api=api, house=house)


async def test_an_empty_body_creates_a_cluster(opened: ClusterApi) -> None:
    answer = await opened.admin.put(PATH, json={})
    await opened.work_off(answer)
    shown = await opened.admin.get(PATH)
    by_id = await opened.admin.get(f"/v1/clusters/{answer.json()['id']}")
    operation = await opened.admin.get(answer.headers["Operation-Location"])

    assert answer.status_code == 202
    assert answer.json()["state"] == "pending"
    assert shown.json()["state"] == "live"
    assert shown.json()["provisioning_state"] == "Succeeded"
    assert by_id.json() == shown.json()
    assert operation.json()["kind"] == "cluster_create"
    assert operation.json()["cluster"] == answer.json()["id"]
    assert operation.json()["deployment"] is None


async def test_the_same_body_again_is_200(opened: ClusterApi) -> None:
    await opened.admin.put(PATH, json={})

    again = await opened.admin.put(PATH, json={"mode": "create"})

    assert again.status_code == 200
    assert "Operation-Location" not in again.headers


async def test_an_idempotency_key_replays_the_first_answer(
    opened: ClusterApi,
) -> None:
    headers = {"Idempotency-Key": "k1"}
    first = await opened.admin.put(PATH, json={}, headers=headers)
    await opened.work_off(first)

    again = await opened.admin.put(PATH, json={}, headers=headers)

    assert again.status_code == 202
    assert again.json() == first.json()
    assert again.headers["Idempotency-Replayed"] == "true"


async def test_what_a_cluster_has_for_life_is_409(opened: ClusterApi) -> None:
    await opened.work_off(await opened.admin.put(PATH, json={}))

    refused = await opened.admin.put(PATH, json={"agent_count": 5})

    assert refused.status_code == 409
    assert refused.json()["code"] == "requires_recreate"
    assert "/agent_count" in refused.json()["detail"]


async def test_wrong_fields_are_named(opened: ClusterApi) -> None:
    body = {
        "vm_size": "Standard_D2_v2",
        "ssl_cname": "a.b",
        "load_balancer_subnet": "l",
    }

    refused = await opened.admin.put(PATH, json=body)

    assert refused.status_code == 422
    assert set(pointers(refused)) == {
        "/agent_count",
        "/ssl_cert_pem",
        "/ssl_key_pem",
        "/load_balancer_subnet",
    }


async def test_an_unknown_mode_is_refused_without_an_echo(
    opened: ClusterApi,
) -> None:
    refused = await opened.admin.put(PATH, json={"mode": "borrow"})

    assert refused.status_code == 422
    assert "borrow" not in refused.text


@pytest.mark.parametrize("name", ["a", "1abc", "abc-", "a_b", "a" * 17, "local"])
async def test_a_name_that_azure_would_refuse_is_422(
    opened: ClusterApi, name: str
) -> None:
    refused = await opened.admin.put(f"{LIST}/{name}", json={})

    assert refused.status_code == 422


async def test_no_answer_shows_a_certificate_s_key(opened: ClusterApi) -> None:
    body = {
        "ssl_cname": "models.example.com",
        "ssl_cert_pem": {"value": "the certificate"},
        "ssl_key_pem": {"value": "the private key"},
    }

    answer = await opened.admin.put(PATH, json=body)
    await opened.work_off(answer)

    shown = await opened.admin.get(PATH)
    told = await opened.admin.get(f"{PATH}/events")
    assert set(shown.json()["spec"]["ssl_key_pem"]) >= {"kept"}
    for one in (answer, shown, told):
        assert "the private key" not in one.text


async def test_validate_only_says_what_would_happen_and_stores_nothing(
    opened: ClusterApi,
) -> None:
    tried = await opened.admin.put(PATH, json={}, params={"validate_only": "true"})
    none = await opened.admin.get(PATH)
    await opened.work_off(await opened.admin.put(PATH, json={}))
    changed = await opened.admin.put(
        PATH, json={"leaf_domain_label": "models"}, params={"validate_only": "true"}
    )
    removal = await opened.admin.delete(
        PATH, params={"validate_only": "true", "underlying": "detach"}
    )

    assert tried.json()["outcome"] == "create"
    assert none.status_code == 404
    assert changed.json()["effect"] == "in_place"
    assert [one["pointer"] for one in changed.json()["changes"]] == [
        "/leaf_domain_label"
    ]
    assert removal.json()["keeps"] == ["AKS cluster /aks/aks-1"]
    assert (await opened.admin.get(PATH)).json()["state"] == "live"


async def test_events_are_a_page_and_a_stream(opened: ClusterApi) -> None:
    answer = await opened.admin.put(PATH, json={})
    await opened.work_off(answer)

    page = await opened.admin.get(f"{PATH}/events")
    stream = await opened.admin.get(
        f"{PATH}/events",
        params={"until": "end"},
        headers={"Accept": "text/event-stream"},
    )
    everything = await opened.admin.get("/v1/events", params={"type": "cluster.*"})

    told = page.json()["items"]
    assert [one["sequence"] for one in told] == list(range(1, len(told) + 1))
    assert told[0]["type"] == "cluster.accepted"
    assert told[-1]["type"] == "cluster.live"
    assert told[-1]["data"]["cluster"]["state"] == "live"
    assert stream.text.count("event: cluster.") == len(told)
    assert len(everything.json()["items"]) == len(told)


async def test_a_preferred_wait_answers_once_it_has_ended(
    opened: ClusterApi,
) -> None:
    first = await opened.admin.put(PATH, json={})
    waiting = asyncio.create_task(
        opened.admin.put(PATH, json={}, headers={"Prefer": "wait=30"})
    )

    await opened.work_off(first)
    answer = await waiting

    assert answer.json()["state"] == "live"
    assert answer.headers["Preference-Applied"] == "wait=30"


async def test_deleting_frees_the_name_once_azure_confirms(
    opened: ClusterApi,
) -> None:
    made = await opened.admin.put(PATH, json={})
    await opened.work_off(made)

    answer = await opened.admin.delete(PATH, params={"underlying": "detach"})
    await opened.work_off(answer)

    by_id = await opened.admin.get(f"/v1/clusters/{made.json()['id']}")
    told = await opened.admin.get(f"/v1/clusters/{made.json()['id']}/events")
    assert answer.status_code == 202
    assert answer.json()["latest_operation"]["kind"] == "cluster_detach"
    assert (await opened.admin.get(PATH)).status_code == 404
    assert by_id.json()["state"] == "deleted"
    assert told.json()["items"][-1]["type"] == "cluster.deleted"


async def test_the_list_shows_what_others_made_too(opened: ClusterApi) -> None:
    await opened.work_off(await opened.admin.put(PATH, json={}))
    opened.house.clusters.add("shared", ComputePhase.READY)

    listed = await opened.listed()

    items = listed.json()["items"]
    assert [(one["name"], one["managed_by"]) for one in items] == [
        ("aks-1", "slipway"),
        ("shared", "other"),
    ]
    assert listed.json()["azure_error"] is None


async def test_azure_that_does_not_answer_does_not_break_the_list(
    opened: ClusterApi,
) -> None:
    await opened.work_off(await opened.admin.put(PATH, json={}))
    refusal = failure(FailureCode.PERMISSION_DENIED, cause="no right to list")
    opened.house.clusters.broken.append(TargetError(refusal))

    listed = await opened.listed()

    assert [one["name"] for one in listed.json()["items"]] == ["aks-1"]
    assert "no right to list" in listed.json()["azure_error"]


async def test_operations_are_canceled_retried_and_listed(
    opened: ClusterApi,
) -> None:
    made = await opened.admin.put(PATH, json={})
    operation = made.headers["Operation-Location"]

    canceled = await opened.admin.post(f"{operation}/cancel")
    retried = await opened.admin.post(f"{operation}/retry")
    listed = await opened.admin.get(
        "/v1/operations", params={"cluster": made.json()["id"]}
    )

    assert canceled.json()["state"] == "canceled"
    assert retried.json()["retry_of"] == canceled.json()["id"]
    assert [one["id"] for one in listed.json()["items"]] == [
        retried.json()["id"],
        canceled.json()["id"],
    ]


@pytest.mark.parametrize("scopes", [(Scope.READ,), (Scope.KEYS,)])
async def test_only_those_who_may_deploy_change_clusters(
    opened: ClusterApi, scopes: tuple[Scope, ...]
) -> None:
    caller = await opened.api.caller(*scopes)

    created = await caller.put(PATH, json={})
    removed = await caller.delete(PATH)

    assert (created.status_code, removed.status_code) == (403, 403)


async def test_a_cluster_belongs_to_its_project(opened: ClusterApi) -> None:
    made = await opened.admin.put(PATH, json={})
    stranger = await opened.api.caller(Scope.DEPLOY, Scope.READ, project="other")

    assert (await stranger.get(PATH)).status_code == 404
    assert (await stranger.get(f"/v1/clusters/{made.json()['id']}")).status_code == 404
    assert (await stranger.put(PATH, json={})).status_code == 409
