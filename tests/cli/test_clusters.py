"""The verbs of clusters: what they send, what they tell, how they end."""

import json
from pathlib import Path
from typing import Any

import pytest

from app.api import cluster_story
from app.core.lifecycle import ClusterState
from tests.cli.running import Slipway
from tests.cli.service import PROBLEM, Answer, Service, Stream

PATH = "/v1/workspaces/prod/clusters/aks-1"
PLACE = ("aks-1", "--workspace", "prod")


def cluster(state: ClusterState) -> dict[str, Any]:
    return cluster_story.cluster(state)


def by_id() -> str:
    return f"/v1/clusters/{cluster(ClusterState.LIVE)['id']}"


def happened(state: ClusterState) -> list[dict[str, Any]]:
    data = {"cluster": cluster(state), "operation": cluster_story.operation(state)}
    event = {"id": "evt_1", "timestamp": "2026-11-22T09:30:00Z", "data": data}
    return [event | {"type": f"cluster.{state}", "sequence": 2}]


@pytest.mark.parametrize(
    ("state", "status"),
    [(ClusterState.LIVE, 0), (ClusterState.FAILED, 1), (ClusterState.CANCELED, 3)],
)
def test_put_follows_it_and_ends_as_it_does(
    service: Service, slipway: Slipway, state: ClusterState, status: int
) -> None:
    started = Answer(status=202, body=cluster(ClusterState.PENDING))
    service.on(f"PUT {PATH}", started)
    service.on(f"GET {by_id()}/events", Stream(events=happened(state)))
    service.on(f"GET {by_id()}", Answer(body=cluster(state)))

    finished = slipway("clusters", "put", *PLACE)

    [request] = service.seen(f"PUT {PATH}")
    assert json.loads(request.body) == {}
    assert finished.status == status
    assert f"prod/aks-1 is {state}" in finished.out


def test_put_sends_the_file_as_it_is(
    service: Service, slipway: Slipway, tmp_path: Path
) -> None:
    body = {"mode": "attach", "resource_group": "g", "cluster_name": "c"}
    file = tmp_path / "cluster.json"
    file.write_text(json.dumps(body))
    service.on(f"PUT {PATH}", Answer(status=202, body=cluster(ClusterState.PENDING)))
    service.on(f"GET {by_id()}", Answer(body=cluster(ClusterState.PENDING)))

    finished = slipway("clusters", "put", *PLACE, "-f", str(file), "--no-wait")

    [request] = service.seen(f"PUT {PATH}")
    assert json.loads(request.body) == body
    assert finished.status == 0


def test_a_failed_cluster_shows_azure_s_own_errors(
    service: Service, slipway: Slipway
) -> None:
    service.on(f"GET {PATH}", Answer(body=cluster(ClusterState.FAILED)))

    finished = slipway("clusters", "get", *PLACE)

    assert "prod/aks-1 is failed (Failed)" in finished.out
    assert "QuotaExceeded" in finished.out


def test_delete_says_what_becomes_of_the_underlying_one(
    service: Service, slipway: Slipway
) -> None:
    service.on(
        f"DELETE {PATH}", Answer(status=202, body=cluster(ClusterState.DELETING))
    )
    service.on(f"GET {by_id()}", Answer(body=cluster(ClusterState.DELETING)))

    slipway("clusters", "delete", *PLACE, "--underlying", "detach", "--no-wait")

    [request] = service.seen(f"DELETE {PATH}")
    assert request.path.endswith("?underlying=detach")


def test_list_shows_others_too_and_what_azure_did_not_tell(
    service: Service, slipway: Slipway
) -> None:
    page = {
        "items": [cluster(ClusterState.LIVE), cluster_story.compute()],
        "next_cursor": None,
        "azure_error": "no right",
    }
    service.on("GET /v1/workspaces/prod/clusters", Answer(body=page))

    finished = slipway("clusters", "list", "--workspace", "prod")

    assert "aks-1" in finished.out
    assert "shared-aks" in finished.out
    assert "no right" in finished.err


def test_a_refusal_ends_with_2(service: Service, slipway: Slipway) -> None:
    service.on(f"PUT {PATH}", Answer(status=409, body=PROBLEM))

    assert slipway("clusters", "put", *PLACE).status == 2
