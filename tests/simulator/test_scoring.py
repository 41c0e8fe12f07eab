"""Scoring hosts, called as any HTTP client calls them through the proxy."""

import asyncio
import os
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import httpx
import pytest
from typing_extensions import override

from app.simulator.artifacts import ArtifactStore
from app.simulator.model_registry import ModelRegistry
from app.simulator.model_runner import ModelRunnerError
from app.simulator.predictions import invocation, predicted
from app.simulator.server import Simulator, running
from app.simulator.service_access import token_of
from app.simulator.service_removal import remove
from app.simulator.settings import SimulatorSettings
from tests.simulator.deploying import Deploying
from tests.support import eventually


@asynccontextmanager
async def _called(
    settings: SimulatorSettings,
) -> AsyncIterator[tuple[Deploying, httpx.AsyncClient]]:
    async with running(settings) as simulator, _client(simulator) as client:
        workspace = next(iter(simulator.world.workspaces.values()))
        yield Deploying(simulator.world, workspace), client


def _client(simulator: Simulator) -> httpx.AsyncClient:
    context = ssl.create_default_context(cafile=str(simulator.ca_file))
    return httpx.AsyncClient(proxy=simulator.url, verify=context, trust_env=False)


async def test_a_prediction_is_labeled_the_same_each_time_and_one_per_row() -> None:
    async with _called(SimulatorSettings()) as (azure, client):
        uri = azure.deployed().scoring_uri or ""

        first = await client.post(uri, json={"data": [[1, 2], [3, 4]]})
        second = await client.post(uri, json={"data": [[1, 2], [3, 4]]})

    assert first.headers["x-simulated-prediction"] == "true"
    assert first.json() == second.json()
    assert first.json()["simulated"] is True
    assert len(first.json()["predictions"]) == 2


async def test_a_key_opens_a_service_and_nothing_else_does() -> None:
    async with _called(SimulatorSettings()) as (azure, client):
        record = azure.deployed(authEnabled=True)
        uri = record.scoring_uri or ""
        statuses = []
        for given in (
            None,
            "Bearer wrong",
            record.keys.primary,
            f"Bearer {record.keys.primary}",
            f"Bearer {record.keys.secondary}",
        ):
            headers = {"Authorization": given} if given else {}
            answer = await client.post(uri, json=[1], headers=headers)
            statuses.append(answer.status_code)

    assert statuses == [401, 401, 401, 200, 200]


async def test_a_token_opens_the_service_that_it_was_made_for_alone() -> None:
    async with _called(SimulatorSettings()) as (azure, client):
        azure.cluster()
        statuses = []
        tokens = {}
        for name in ("first", "second"):
            record = azure.deployed(
                name, computeType="AKS", computeName="aks", aadAuthEnabled=True
            )
            tokens[record.scoring_uri or ""] = token_of(azure.world, record)
        first, second = tokens
        for token in (tokens[first], tokens[second]):
            headers = {"Authorization": f"Bearer {token['accessToken']}"}
            answer = await client.post(first, json=[1], headers=headers)
            statuses.append(answer.status_code)

    assert statuses == [200, 401]


async def test_a_service_answers_health_and_swagger_beside_its_scores() -> None:
    async with _called(SimulatorSettings()) as (azure, client):
        base = (azure.deployed().scoring_uri or "").removesuffix("/score")

        health = await client.get(f"{base}/")
        swagger = await client.get(f"{base}/swagger.json")

    assert health.text == "Healthy: svc"
    assert list(swagger.json()["paths"]) == ["/score"]


async def test_a_name_of_its_own_with_tls_leads_to_the_service() -> None:
    async with _called(SimulatorSettings()) as (azure, client):
        azure.deployed(
            sslEnabled=True,
            sslCertificate="certificate",
            sslKey="key",
            cname="models.example.com",
        )

        answer = await client.post("https://models.example.com/score", json=[1])

    assert answer.status_code == 200


async def test_a_host_without_a_service_and_a_crashed_one_do_not_score() -> None:
    async with _called(SimulatorSettings()) as (azure, client):
        record = azure.deployed(dnsNameLabel="label")
        uri = record.scoring_uri or ""
        azure.update("svc", kvTags={"simulate": "crash-loop"})
        azure.skip(100_000)

        crashed = await client.post(uri, json=[1])
        nobody = await client.post(uri.replace("label", "other"), json=[1])

    assert (crashed.status_code, nobody.status_code) == (502, 404)


@pytest.mark.parametrize(
    ("body", "rows"),
    [
        ([[1], [2]], 2),
        ({"dataframe_split": {"columns": ["a"], "data": [[1], [2], [3]]}}, 3),
        ({"dataframe_records": [{"a": 1}, {"a": 2}]}, 2),
        ({"inputs": {"a": [1, 2], "b": [3, 4]}}, 2),
        ({"instances": [1, 2, 3]}, 3),
        ({"input_data": {"columns": ["a"], "index": [0], "data": [[1]]}}, 1),
        ({"input_data": [[1], [2]]}, 2),
        ("text", 1),
        ({"anything": "else"}, 1),
    ],
)
def test_each_form_of_a_request_gets_one_number_per_row(
    body: object, rows: int
) -> None:
    numbers = predicted(body)["predictions"]

    assert isinstance(numbers, list)
    assert len(numbers) == rows


def test_azures_form_of_a_request_becomes_mlflows() -> None:
    split = {"columns": ["a"], "index": [0], "data": [[1]]}

    assert invocation({"input_data": split}) == {
        "dataframe_split": {"columns": ["a"], "data": [[1]]}
    }
    assert invocation({"input_data": [[1]]}) == {"inputs": [[1]]}
    assert invocation({"inputs": [1]}) == {"inputs": [1]}


class _EchoingServer(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    @override
    def log_message(self, *_: object) -> None:
        """Say nothing."""


class FakeModelRunner:
    """Serves what it is asked, and remembers which files it was given."""

    def __init__(self) -> None:
        self.seen: list[set[str]] = []
        self._servers: dict[str, ThreadingHTTPServer] = {}

    @property
    def running(self) -> int:
        return len(self._servers)

    async def start(self, model: Path) -> str:
        if (model / "broken").exists():
            raise ModelRunnerError("it does not load")
        self.seen.append(set(await asyncio.to_thread(os.listdir, model)))
        server = ThreadingHTTPServer(("127.0.0.1", 0), _EchoingServer)
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        self._servers[url] = server
        return url

    async def stop(self, url: str) -> None:
        server = self._servers.pop(url)
        await asyncio.to_thread(server.shutdown)
        server.server_close()


def _registered(azure: Deploying, *files: str) -> dict[str, object]:
    store, registry = (
        azure.workspace.part(ArtifactStore),
        azure.workspace.part(ModelRegistry),
    )
    for file in files:
        store.write("LocalUpload", "one", f"model/{file}", b"x")
    model = registry.register("sklearn", "aml://artifactId/LocalUpload/one/model")
    return {"modelIds": [model.id], "environment": {}}


async def test_a_registered_model_is_served_by_the_runner_until_it_is_deleted() -> None:
    runner = FakeModelRunner()
    settings = SimulatorSettings(run_models=True, model_runner=runner)
    async with _called(settings) as (azure, client):
        image = _registered(azure, "MLmodel", "data/weights.bin")
        uri = azure.deployed(environmentImageRequest=image).scoring_uri or ""

        answers = [await client.post(uri, json={"input_data": [1]}) for _ in range(2)]
        remove(azure.book, "svc")

        assert [answer.json() for answer in answers] == [{"inputs": [1]}] * 2
        assert "x-simulated-prediction" not in answers[0].headers
        assert runner.seen == [{"MLmodel", "data"}]
        await eventually(lambda: runner.running == 0)


async def test_the_end_of_the_simulator_ends_its_models() -> None:
    runner = FakeModelRunner()
    settings = SimulatorSettings(run_models=True, model_runner=runner)
    async with _called(settings) as (azure, client):
        image = _registered(azure, "MLmodel")
        uri = azure.deployed(environmentImageRequest=image).scoring_uri or ""
        await client.post(uri, json=[1])

    assert runner.running == 0


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        (("MLmodel", "broken"), "it does not load"),
        (("weights.bin",), "No model of the service"),
        (("MLmodel", "../../outside"), "lies outside"),
    ],
)
async def test_a_model_that_cannot_be_served_is_a_bad_gateway(
    files: tuple[str, ...], reason: str
) -> None:
    runner = FakeModelRunner()
    settings = SimulatorSettings(run_models=True, model_runner=runner)
    async with _called(settings) as (azure, client):
        image = _registered(azure, *files)
        uri = azure.deployed(environmentImageRequest=image).scoring_uri or ""

        answer = await client.post(uri, json=[1])

    assert answer.status_code == 502
    assert reason in answer.text
