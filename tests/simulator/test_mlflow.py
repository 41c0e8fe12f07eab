"""The unmodified MLflow client with Azure's plugin, against the simulated workspace."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from app.simulator.model_registry import ModelRegistry
from app.simulator.server import Simulator
from tests.simulating import run_script, running_simulator

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

_SCRIPT = Path(__file__).with_name("mlflow_script.py")


@dataclass(frozen=True, kw_only=True)
class Driven:
    """A simulator after the script, and what the script told."""

    simulator: Simulator
    told: dict[str, Any]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def driven() -> AsyncIterator[Driven]:
    async with running_simulator() as simulator:
        workspace = next(iter(simulator.world.workspaces.values()))
        host = f"{workspace.region}.api.azureml.ms"
        uri = f"azureml://{host}/mlflow/v1.0{workspace.arm_id}"
        ran = await run_script(simulator, _SCRIPT.read_text(), TRACKING_URI=uri)
        yield Driven(simulator=simulator, told=ran.told)


async def test_only_known_routes_of_known_hosts_were_called(driven: Driven) -> None:
    journal = driven.simulator.world.journal

    assert journal.unexpected_hosts == {}
    assert journal.unknown() == []


async def test_a_run_is_told_as_it_was_logged(driven: Driven) -> None:
    run = driven.told["run"]

    assert run["uri"].endswith(f"/runs/{driven.told['run_id']}/artifacts")
    assert {key: run[key] for key in run if key != "uri"} == {
        "status": "FINISHED",
        "name": "ridge",
        "params": {"alpha": "1.0"},
        "metrics": {"score": 0.5},
        "team": "research",
    }
    assert driven.told["history"] == [0.25, 0.5]
    assert driven.told["experiments"] == ["Default", "diabetes"]


async def test_runs_are_found_by_metric_param_and_tag(driven: Driven) -> None:
    assert driven.told["found"] == [driven.told["run_id"]]
    assert driven.told["not_found"] == []


async def test_a_run_s_artifacts_are_listed_and_downloaded(driven: Driven) -> None:
    assert driven.told["artifacts"] == ["model", "notes"]
    assert driven.told["text"] == "said"


async def test_models_are_registered_from_a_run_and_from_disk(driven: Driven) -> None:
    run_id = driven.told["run_id"]
    versions, downloads = driven.told["versions"], driven.told["downloads"]

    assert versions["1"][0] == run_id
    assert versions["1"][1].endswith(f"/runs/{run_id}/artifacts/model")
    assert versions["1"][2:] == [{"by": "run", "checked": "yes"}, "None"]
    assert versions["2"][1] == downloads[1]
    assert versions["2"][3] == "Production"
    assert downloads[0] == f"azureml://artifacts/ExperimentRun/dcid.{run_id}/model"
    assert downloads[1].startswith("azureml://artifacts/LocalUpload/")


async def test_both_models_are_loaded_from_the_registry_and_answer_alike(
    driven: Driven,
) -> None:
    first, second = driven.told["predictions"]

    assert first == second == pytest.approx(182.67, abs=0.1)


async def test_aliases_stages_and_names_are_found(driven: Driven) -> None:
    assert driven.told["champion"] == "1"
    assert driven.told["latest"] == ["2"]
    assert driven.told["names"] == ["ridge"]


async def test_a_version_number_is_never_used_again(driven: Driven) -> None:
    assert driven.told["after_delete"] == "3"


async def test_the_registry_is_the_one_that_v1_sees(driven: Driven) -> None:
    workspace = next(iter(driven.simulator.world.workspaces.values()))
    model = workspace.part(ModelRegistry).get("ridge:1")

    assert model.tags == {"by": "run", "checked": "yes"}
    assert "MLmodel" in workspace.part(ModelRegistry).files(model)


@pytest.mark.parametrize(
    ("name", "refusal"),
    [
        ("log_model", ["ENDPOINT_NOT_FOUND", 404]),
        ("logged_model", ["ENDPOINT_NOT_FOUND", 404]),
        # The plugin lists a run's files by their whole paths, so MLflow does not see
        # the model among them and asks for logged models.
        ("run_uri", ["ENDPOINT_NOT_FOUND", 404]),
        ("missing_run", ["RESOURCE_DOES_NOT_EXIST", 404]),
        ("missing_version", ["RESOURCE_DOES_NOT_EXIST", 404]),
        ("missing_name", ["RESOURCE_DOES_NOT_EXIST", 404]),
        ("taken", ["RESOURCE_ALREADY_EXISTS", 400]),
        ("param", ["INVALID_PARAMETER_VALUE", 400]),
        ("filter", ["INVALID_PARAMETER_VALUE", 400]),
        ("source", ["INVALID_PARAMETER_VALUE", 400]),
        ("rename", ["NOT_IMPLEMENTED", 501]),
    ],
)
async def test_refusals_are_worded_as_mlflow_reads_them(
    driven: Driven, name: str, refusal: list[object]
) -> None:
    assert driven.told[name] == refusal
