"""ARM: what there is, what the caller may, and how fast it may ask."""

import httpx
import pytest

from app.simulator.rights import Permission, Rights
from app.simulator.server import Simulator
from app.simulator.world import SUBSCRIPTION
from tests.simulating import running_simulator
from tests.simulator.conftest import signed_in
from tests.simulator.workspaces import A_CLUSTER, CLUSTER, GROUP, PROD

_READS_AT_ONCE = 250


async def test_a_path_has_no_letter_case(azure: httpx.AsyncClient) -> None:
    answer = await azure.get(PROD.lower().replace("/ml/", "/ML/"))

    assert answer.json()["id"] == PROD


@pytest.mark.parametrize(
    ("path", "code"),
    [
        (PROD.replace("/prod", "/gone"), "ResourceNotFound"),
        (GROUP.replace("/ml", "/gone"), "ResourceGroupNotFound"),
        ("/subscriptions/gone", "SubscriptionNotFound"),
        (f"{PROD}/nothing/like/this", "InvalidResourceType"),
    ],
)
async def test_what_is_not_there_is_named(
    azure: httpx.AsyncClient, path: str, code: str
) -> None:
    answer = await azure.get(path)

    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == code


async def test_arm_wants_an_api_version(azure: httpx.AsyncClient) -> None:
    azure.params = httpx.QueryParams()

    answer = await azure.get(PROD)

    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "MissingApiVersionParameter"


async def test_only_a_route_that_nobody_wrote_counts_as_unknown(
    simulator: Simulator, azure: httpx.AsyncClient
) -> None:
    await azure.get(PROD.replace("/prod", "/gone"))
    await azure.get(f"{PROD}/nothing/like/this")

    unknown = simulator.world.journal.unknown()
    assert [request.path for request in unknown] == [f"{PROD}/nothing/like/this"]


async def test_a_workspace_has_no_v2_endpoint(
    simulator: Simulator, azure: httpx.AsyncClient
) -> None:
    listed = await azure.get(f"{PROD}/onlineEndpoints")
    one = await azure.get(f"{PROD}/onlineEndpoints/diabetes")

    assert listed.json() == {"value": []}
    assert one.json()["error"]["code"] == "ResourceNotFound"
    assert not simulator.world.journal.unknown()


async def test_a_workspace_names_its_registry_which_is_there(
    azure: httpx.AsyncClient,
) -> None:
    workspace = (await azure.get(PROD)).json()

    registry = await azure.get(workspace["properties"]["containerRegistry"])

    assert registry.json()["properties"]["provisioningState"] == "Succeeded"


async def test_a_lost_registry_is_missing_and_the_workspace_is_not(
    simulator: Simulator, azure: httpx.AsyncClient
) -> None:
    simulator.world.faults.add("registry-missing", where={"workspace": "prod"})
    workspace = (await azure.get(PROD)).json()

    registry = await azure.get(workspace["properties"]["containerRegistry"])

    assert registry.status_code == 404
    assert registry.json()["error"]["code"] == "ResourceNotFound"


async def test_the_rights_listed_are_the_rights_there_are(
    simulator: Simulator, azure: httpx.AsyncClient
) -> None:
    provider = "Microsoft.MachineLearningServices/workspaces"
    simulator.world.part(Rights).replace(
        (
            Permission(
                actions=(f"{provider}/*",), not_actions=(f"{provider}/computes/write",)
            ),
        )
    )

    listed = await azure.get(f"{PROD}/providers/Microsoft.Authorization/permissions")
    read, written = await azure.get(PROD), await azure.put(CLUSTER, json=A_CLUSTER)

    assert listed.json()["value"] == [
        {
            "actions": [f"{provider}/*"],
            "notActions": [f"{provider}/computes/write"],
            "dataActions": [],
            "notDataActions": [],
        }
    ]
    assert read.status_code == 200
    assert written.status_code == 403
    assert f"'{provider}/computes/write'" in written.json()["error"]["message"]


async def test_reads_beyond_arms_limit_are_refused_until_there_is_room(
    azure: httpx.AsyncClient,
) -> None:
    statuses = [(await azure.get(PROD)).status_code for _ in range(_READS_AT_ONCE)]
    while (answer := await azure.get(PROD)).status_code == 200:
        statuses.append(200)

    assert set(statuses) == {200}
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) >= 1
    assert answer.json()["error"]["code"] == "SubscriptionRequestsThrottled"
    # Writes have a bucket of their own.
    assert (await azure.put(CLUSTER, json=A_CLUSTER)).status_code == 201


async def test_the_rate_limits_can_be_switched_off() -> None:
    async with (
        running_simulator(rate_limits=False) as simulator,
        signed_in(simulator) as azure,
    ):
        answers = [await azure.get(PROD) for _ in range(_READS_AT_ONCE + 50)]

    assert {answer.status_code for answer in answers} == {200}


@pytest.mark.parametrize(
    ("provider", "name"),
    [
        ("Microsoft.ContainerInstance", "StandardCores"),
        ("Microsoft.Compute", "cores"),
        (
            "Microsoft.MachineLearningServices",
            "Total Cluster Dedicated Regional vCPUs",
        ),
    ],
)
async def test_the_use_of_each_quota_is_listed(
    azure: httpx.AsyncClient, provider: str, name: str
) -> None:
    answer = await azure.get(
        f"/subscriptions/{SUBSCRIPTION}/providers/{provider}/locations/eastus2/usages"
    )

    found = {each["name"]["value"]: each for each in answer.json()["value"]}
    assert found[name]["limit"] > found[name]["currentValue"] == 0
