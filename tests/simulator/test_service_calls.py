"""The calls of model management and of artifacts, as their bytes look on the wire."""

from collections.abc import AsyncIterator

import httpx
import pytest

from app.simulator.server import Simulator
from app.simulator.services import ServiceBook
from tests.simulating import running_simulator
from tests.simulator.conftest import signed_in
from tests.simulator.deploying import A_DAY, request
from tests.simulator.workspaces import PROD

_HOST = "https://eastus2.api.azureml.ms"
_MMS = f"{_HOST}/modelmanagement/v1.0{PROD}"
_ARTIFACTS = f"{_HOST}/artifact/v2.0{PROD}/artifacts"


@pytest.fixture
async def client(simulator: Simulator) -> AsyncIterator[httpx.AsyncClient]:
    async with signed_in(simulator) as signed:
        # Parameters of the client would take the place of those in a URL.
        signed.params = httpx.QueryParams()
        yield signed


async def test_a_create_names_its_operation_and_nothing_else(
    client: httpx.AsyncClient,
) -> None:
    created = await client.post(f"{_MMS}/services", json=request("svc"))

    location = created.headers["operation-location"]
    operation = await client.get(location)
    assert created.status_code == 202
    assert created.content == b""
    assert location.startswith(f"{_MMS}/operations/")
    assert "retry-after" not in created.headers
    assert operation.json()["operationType"] == "Service"
    assert operation.json()["state"] in {"NotStarted", "Running"}


async def test_the_time_to_look_again_is_told_where_it_is_set() -> None:
    latencies = {"operation-retry-after": 7}
    async with (
        running_simulator(latencies=latencies) as simulator,
        signed_in(simulator) as client,
    ):
        created = await client.post(f"{_MMS}/services", json=request("svc"))
        looked = await client.get(created.headers["operation-location"])

    assert created.headers["retry-after"] == looked.headers["retry-after"] == "7"


async def test_a_taken_name_is_told_in_azures_own_shape(
    client: httpx.AsyncClient,
) -> None:
    await client.post(f"{_MMS}/services", json=request("svc"))

    twice = await client.post(f"{_MMS}/services", json=request("svc"))
    told = await client.post(f"{_MMS}/services/validate/name/svc")
    free = await client.post(f"{_MMS}/services/validate/name/other")

    body = twice.json()
    assert twice.status_code == body["statusCode"] == 409
    assert body["code"] == "Conflict"
    assert body["details"][0]["code"] == "ServiceExists"
    assert told.status_code == free.status_code == 200
    assert told.json()["error"]["message"] == body["details"][0]["message"]
    assert free.json() == {}


async def test_deleting_answers_as_the_service_is_held(
    client: httpx.AsyncClient, simulator: Simulator
) -> None:
    url = f"{_MMS}/services/svc"
    await client.post(f"{_MMS}/services", json=request("svc"))

    busy = await client.delete(url)
    simulator.world.clock.skip(A_DAY)
    done = await client.delete(url)
    missing = await client.delete(url)

    assert [busy.status_code, done.status_code, missing.status_code] == [409, 200, 204]


async def test_services_come_in_pages_until_the_last(
    client: httpx.AsyncClient,
) -> None:
    for number in range(5):
        await client.post(f"{_MMS}/services", json=request(f"svc-{number}"))
    pages, url = [], f"{_MMS}/services?count=2&computeType=ACI"
    while url:
        page = (await client.get(url)).json()
        pages.append([each["name"] for each in page["value"]])
        url = page.get("nextLink", "")

    assert pages == [["svc-4", "svc-3"], ["svc-2", "svc-1"], ["svc-0"]]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("tags=team%3Da", ["one"]),
        ("tags=team", ["two", "one"]),
        ("properties=p%3D1,q%3D2", ["two"]),
        ("modelName=none", []),
        ("computeType=AKS", []),
        ("name=one", ["one"]),
    ],
)
async def test_services_are_found_by_what_they_carry(
    client: httpx.AsyncClient, query: str, found: list[str]
) -> None:
    one = request("one", kvTags={"team": "a"}, properties={"p": "1"})
    two = request("two", kvTags={"team": "b"}, properties={"p": "1", "q": "2"})
    for body in (one, two):
        await client.post(f"{_MMS}/services", json=body)

    listed = await client.get(f"{_MMS}/services?{query}")

    assert [each["name"] for each in listed.json()["value"]] == found


@pytest.mark.parametrize(
    ("method", "path", "content"),
    [
        ("POST", "services", b"{"),
        ("POST", "services", b"[]"),
        ("PATCH", "services/svc", b"{}"),
        ("PATCH", "services/svc", b'[{"op": "move", "path": "/kvTags"}]'),
        ("PATCH", "services/svc", b'[{"op": "replace", "path": "/location"}]'),
        ("GET", "services/svc/logs?tail=many", b""),
        ("POST", "services/svc/regenerateKeys", b'{"keyType": "Third"}'),
        ("POST", "services/svc/token", b""),
        ("GET", "services?count=all", b""),
        ("POST", "models", b'{"name": "no url"}'),
    ],
)
async def test_a_malformed_call_is_a_bad_request(
    client: httpx.AsyncClient,
    simulator: Simulator,
    method: str,
    path: str,
    content: bytes,
) -> None:
    await client.post(f"{_MMS}/services", json=request("svc", authEnabled=True))
    simulator.world.clock.skip(A_DAY)

    answer = await client.request(method, f"{_MMS}/{path}", content=content)

    assert answer.status_code == 400
    assert answer.json()["code"] == "BadRequest"


async def test_a_service_of_another_workspace_is_not_seen(
    client: httpx.AsyncClient, simulator: Simulator
) -> None:
    await client.post(f"{_MMS}/services", json=request("svc"))

    other = f"{_MMS.replace('eastus2', 'westeurope').replace('/prod', '/dev')}"
    answer = await client.get(f"{other}/services/svc")

    books = [
        workspace.part(ServiceBook) for workspace in simulator.world.workspaces.values()
    ]
    assert answer.status_code == 404
    assert [len(book.all()) for book in books] == [1, 0]


async def test_artifacts_are_found_in_either_way_of_asking(
    client: httpx.AsyncClient,
) -> None:
    place = "LocalUpload/one"
    for path in ("model/a.txt", "model/b/c.txt", "models.txt"):
        await client.post(f"{_ARTIFACTS}/content/{place}/{path}", content=b"x")

    in_url = await client.get(f"{_ARTIFACTS}/prefix/contentinfo/{place}/model")
    in_query = await client.get(
        f"{_ARTIFACTS}/{place}/prefix/contentinfo", params={"path": "model"}
    )
    read = await client.get(in_query.json()["value"][1]["contentUri"])
    missing = await client.get(f"{_ARTIFACTS}/contentinfo/{place}/none")

    paths = [each["path"] for each in in_url.json()["value"]]
    assert paths == ["model/a.txt", "model/b/c.txt"]
    assert [each["path"] for each in in_query.json()["value"]] == paths
    assert read.content == b"x"
    assert missing.status_code == 404


async def test_an_address_for_reading_does_not_write(
    client: httpx.AsyncClient,
) -> None:
    place = "LocalUpload/one/a.txt"
    await client.post(f"{_ARTIFACTS}/content/{place}", content=b"x")
    found = await client.get(f"{_ARTIFACTS}/contentinfo/{place}")

    answer = await client.put(
        found.json()["contentUri"],
        content=b"y",
        headers={"x-ms-blob-type": "BlockBlob"},
    )

    assert answer.status_code == 403
    assert answer.headers["x-ms-error-code"] == "AuthorizationPermissionMismatch"
