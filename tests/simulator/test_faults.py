"""Each fault that any request can meet, and how often it strikes."""

import json
import time

import httpx
import pytest

from app.simulator.server import Simulator
from tests.simulator.workspaces import A_CLUSTER, CLUSTER, PROD


@pytest.mark.parametrize(
    ("name", "parameters", "status", "code"),
    [
        ("throttled", {"retry_after": 7}, 429, "TooManyRequests"),
        ("conflict", {"code": "OperationInProgress"}, 409, "OperationInProgress"),
        ("forbidden", {}, 403, "AuthorizationFailed"),
        ("unauthorized", {}, 401, "ExpiredAuthenticationToken"),
        ("server-error", {}, 500, "InternalServerError"),
        ("server-error", {"status": 503}, 503, "ServiceUnavailable"),
    ],
)
async def test_a_refusal_is_azures_and_does_nothing(
    simulator: Simulator,
    azure: httpx.AsyncClient,
    name: str,
    parameters: dict[str, object],
    status: int,
    code: str,
) -> None:
    simulator.world.faults.add(
        name, where={"method": "PUT", "path": "*/computes/*"}, parameters=parameters
    )

    refused = await azure.put(CLUSTER, json=A_CLUSTER)

    assert refused.status_code == status
    assert refused.json()["error"]["code"] == code
    assert refused.headers.get("Retry-After") == ("7" if status == 429 else None)
    assert (await azure.get(CLUSTER)).status_code == 404
    assert (await azure.put(CLUSTER, json=A_CLUSTER)).status_code == 201


async def test_a_gateway_answers_with_its_own_page(
    simulator: Simulator, azure: httpx.AsyncClient
) -> None:
    simulator.world.faults.add("html", parameters={"status": 504, "retry_after": 3})

    answer = await azure.get(PROD)

    assert answer.status_code == 504
    assert answer.headers["Content-Type"].startswith("text/html")
    assert answer.headers["Retry-After"] == "3"
    assert "<h1>504 Gateway Timeout</h1>" in answer.text


async def test_a_connection_dropped_before_the_work_does_nothing(
    simulator: Simulator, azure: httpx.AsyncClient
) -> None:
    simulator.world.faults.add("dropped-connection", where={"method": "PUT"})

    with pytest.raises(httpx.TransportError):
        await azure.put(CLUSTER, json=A_CLUSTER)

    assert (await azure.get(CLUSTER)).status_code == 404


async def test_a_lost_answer_does_the_work_and_drops_the_connection(
    simulator: Simulator, azure: httpx.AsyncClient
) -> None:
    simulator.world.faults.add("lost-answer", where={"method": "PUT"})

    with pytest.raises(httpx.TransportError):
        await azure.put(CLUSTER, json=A_CLUSTER)

    assert (await azure.get(CLUSTER)).status_code == 200
    lost = simulator.world.journal.seen("PUT")[0]
    assert (lost.status, lost.fault) == (0, "lost-answer")


async def test_a_truncated_answer_does_the_work_and_ends_in_the_middle(
    simulator: Simulator, azure: httpx.AsyncClient
) -> None:
    simulator.world.faults.add("truncated-answer", where={"method": "PUT"})

    with pytest.raises(httpx.TransportError):
        await azure.put(CLUSTER, json=A_CLUSTER)

    assert (await azure.get(CLUSTER)).status_code == 200


async def test_a_malformed_answer_has_its_status_and_no_json(
    simulator: Simulator, azure: httpx.AsyncClient
) -> None:
    simulator.world.faults.add("malformed-answer", where={"method": "PUT"})

    answer = await azure.put(CLUSTER, json=A_CLUSTER)

    assert answer.status_code == 201
    with pytest.raises(json.JSONDecodeError):
        answer.json()


async def test_a_slow_answer_outlasts_a_clients_patience(
    simulator: Simulator, azure: httpx.AsyncClient
) -> None:
    simulator.world.faults.add("slow", parameters={"seconds": 5})
    started = time.monotonic()

    with pytest.raises(httpx.ReadTimeout):
        await azure.get(PROD, timeout=0.2)

    assert time.monotonic() - started < 4
    assert (await azure.get(PROD)).status_code == 200


async def test_a_fault_spares_the_first_and_ends_after_its_times(
    simulator: Simulator, azure: httpx.AsyncClient
) -> None:
    simulator.world.faults.add("conflict", after=1, times=2)

    statuses = [(await azure.get(PROD)).status_code for _ in range(4)]

    assert statuses == [200, 409, 409, 200]


async def test_a_fault_strikes_only_where_it_is_set(
    simulator: Simulator, azure: httpx.AsyncClient
) -> None:
    simulator.world.faults.add("conflict", times=None, where={"host": "eastus2.*"})

    there = await azure.get(f"https://eastus2.api.azureml.ms/rp/workspaces{CLUSTER}")
    elsewhere = await azure.get(PROD)

    assert (there.status_code, elsewhere.status_code) == (409, 200)


async def test_a_removed_fault_strikes_no_more(
    simulator: Simulator, azure: httpx.AsyncClient
) -> None:
    added = simulator.world.faults.add("conflict", times=None)

    assert simulator.world.faults.remove(added.id)

    assert (await azure.get(PROD)).status_code == 200
