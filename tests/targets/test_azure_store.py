"""Workspaces of Azure ML as model stores: real children and the real plugin."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest
import pytest_asyncio

from app.core.failure import TargetError
from app.core.target import ResolvedModel
from app.simulator.model_registry import ModelRegistry
from app.simulator.world import SimulatedWorkspace
from tests.support import eventually
from tests.targets.azure_stores import (
    AzureStores,
    azure_stores,
    azure_workspace,
    logged_run,
    put,
    registered,
    resolved,
)

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[AzureStores]:
    async with azure_stores(tmp_path_factory.mktemp("azure-store")) as stores:
        yield stores


@pytest.fixture
def opened(shared: AzureStores) -> AzureStores:
    """The shared Azure as if it were new: importing MLflow again would take long."""
    shared.forget_everything()
    return shared


async def test_a_run_s_model_is_registered_once_and_carries_our_marks(
    opened: AzureStores,
) -> None:
    run_id = logged_run(opened.prod)

    unregistered = await opened.find(f"runs:/{run_id}/model")
    first = await opened.resolve(run_id, "ridge")
    again = await opened.resolve(run_id, "ridge", operation="op_2")

    (version,) = opened.prod.part(ModelRegistry).models()
    assert unregistered is None
    assert first == ResolvedModel(name="ridge", version="1", uri="models:/ridge/1")
    assert again == first
    assert version.run_id == run_id
    assert version.tags == {
        "team": "research",
        "slipway.source": f"runs:/{run_id}/model",
        "slipway.operation": "op_1",
        "slipway.deployment": "d",
        "slipway.installation": "i",
        "slipway.revision": "1",
    }


async def test_a_version_that_v1_registered_of_the_same_files_is_used(
    opened: AzureStores,
) -> None:
    run_id = logged_run(opened.prod)
    registered(opened.prod, "ridge", run_id)

    found = await opened.resolve(run_id, "ridge")

    assert found.version == "1"
    assert opened.requests("model-versions/create") == []


async def test_a_lost_answer_to_a_registration_leaves_one_version_in_use(
    opened: AzureStores,
) -> None:
    run_id = logged_run(opened.prod)
    faults = opened.simulator.world.faults
    faults.add("lost-answer", where={"path": "*/model-versions/create"})

    with pytest.raises(TargetError) as error:
        await opened.resolve(run_id, "ridge")
    models = [
        await opened.resolve(run_id, "ridge", operation=f"op_{n}") for n in (1, 2)
    ]

    assert error.value.transient
    assert {model.version for model in models} == {"1"}
    assert len(opened.prod.part(ModelRegistry).models()) == 1
    assert len(opened.requests("model-versions/create")) == 1


async def test_a_worker_that_dies_while_it_registers_leaves_one_version_in_use(
    opened: AzureStores,
) -> None:
    run_id = logged_run(opened.prod)
    faults = opened.simulator.world.faults
    faults.add(
        "slow", where={"path": "*/model-versions/create"}, parameters={"seconds": 0.3}
    )

    dying = asyncio.create_task(opened.resolve(run_id, "ridge"))
    await eventually(lambda: bool(opened.requests("model-versions/create")))
    dying.cancel()
    with suppress(asyncio.CancelledError):
        await dying
    models = [
        await opened.resolve(run_id, "ridge", operation=f"op_{n}") for n in (1, 2)
    ]

    assert len({model.version for model in models}) == 1
    assert len(opened.prod.part(ModelRegistry).models()) <= 2


async def test_two_at_once_agree_and_remove_what_one_of_them_made(
    opened: AzureStores,
) -> None:
    run_id = logged_run(opened.prod)

    models = await asyncio.gather(
        *(opened.resolve(run_id, "ridge", operation=f"op_{n}") for n in range(2))
    )

    assert models[0] == models[1]
    assert len(opened.prod.part(ModelRegistry).models()) == 1


async def test_aliases_and_latest_are_read_by_us_and_never_by_the_plugin(
    opened: AzureStores,
) -> None:
    run_id = logged_run(opened.prod)
    for _ in range(11):
        version = registered(opened.prod, "ridge", run_id)
    version.aliases.add("champion")
    opened.prod.part(ModelRegistry).get("ridge:2").stage = "Production"

    found = [
        await opened.find(f"models:/ridge{rest}")
        for rest in ("@champion", "/latest", "/Production", "/3")
    ]

    assert [one.version for one in found if one] == ["11", "11", "2", "3"]


async def test_a_model_is_read_and_fetched_whole(opened: AzureStores) -> None:
    run_id = logged_run(opened.prod, data=b"\x00" * 100)
    put(opened.prod, run_id, "model/code/a/b.py", b"a = 1")
    put(opened.prod, run_id, "model2/stranger", b"not of the model")
    model = await opened.resolve(run_id, "ridge")

    facts = await opened.adapter.inspect(azure_workspace(opened.prod), model)
    fetched = await opened.fetch(opened.prod, model)

    files = {path.relative_to(fetched) for path in fetched.rglob("*") if path.is_file()}
    assert facts.flavors == ("python_function",)
    assert files == {Path("MLmodel"), Path("data"), Path("code/a/b.py")}
    assert (fetched / "code/a/b.py").read_bytes() == b"a = 1"


async def test_two_workspaces_at_once_never_mix(opened: AzureStores) -> None:
    places = (opened.prod, opened.dev)
    for place in places:
        run_id = logged_run(place, mine=place.name.encode())
        registered(place, "ridge", run_id)

    async def fetched(place: SimulatedWorkspace) -> str:
        path = await opened.fetch(place, resolved("ridge", 1))
        return (path / "mine").read_text()

    told = await asyncio.gather(*(fetched(place) for place in places * 3))

    assert told == ["prod", "dev"] * 3
    for place in places:
        hosts = {one.partition("/")[0] for one in opened.requests(place.arm_id)}
        assert hosts == {f"GET {place.region}.api.azureml.ms"}
