"""Which right a request needs, and that the role we publish is enough for ours."""

import json

import pytest

from app.simulator.errors import AzureError
from app.simulator.rights import Permission, Rights, needed_actions
from app.simulator.settings import SimulatorSettings
from app.simulator.world import World
from tests.house.files import ROOT
from tests.simulator.workspaces import CLUSTER, GROUP, PROD

_ML = "Microsoft.MachineLearningServices/workspaces"
_MMS = f"/modelmanagement/v1.0{PROD}"
_MLFLOW = f"/mlflow/v2.0{PROD}/api/2.0/mlflow"
_DEPLOYING = [
    ("GET", PROD),
    ("POST", f"{_MLFLOW}/experiments/search"),
    ("GET", f"{_MLFLOW}/runs/get"),
    ("GET", f"{_MLFLOW}/registered-models/get"),
    ("POST", f"{_MLFLOW}/model-versions/create"),
    ("DELETE", f"{_MLFLOW}/model-versions/delete"),
    ("POST", f"{_MMS}/models"),
    ("GET", f"{_MMS}/models/diabetes:1"),
    ("POST", f"{_MMS}/services"),
    ("GET", f"{_MMS}/services/diabetes"),
    ("PATCH", f"{_MMS}/services/diabetes"),
    ("POST", f"{_MMS}/services/diabetes/listkeys"),
    ("POST", f"{_MMS}/services/diabetes/regenerateKeys"),
    ("POST", f"{_MMS}/services/diabetes/token"),
    ("DELETE", f"{_MMS}/services/diabetes"),
    ("GET", CLUSTER),
]


@pytest.mark.parametrize(
    ("method", "path", "first"),
    [
        ("GET", PROD, f"{_ML}/read"),
        ("PUT", CLUSTER, f"{_ML}/computes/write"),
        ("DELETE", CLUSTER, f"{_ML}/computes/delete"),
        ("POST", f"{CLUSTER}/listKeys", f"{_ML}/computes/listKeys/action"),
        ("GET", f"/rp/workspaces{CLUSTER}", f"{_ML}/computes/read"),
        ("POST", f"{_MMS}/services", f"{_ML}/services/aci/write"),
        ("DELETE", f"{_MMS}/services/x", f"{_ML}/services/aci/delete"),
        ("POST", f"{_MMS}/services/x/token", f"{_ML}/services/aci/score/action"),
        ("POST", f"{_MMS}/models", f"{_ML}/models/write"),
        ("POST", f"{_MLFLOW}/model-versions/search", f"{_ML}/models/read"),
        ("POST", f"{_MLFLOW}/runs/create", f"{_ML}/experiments/runs/write"),
        (
            "GET",
            f"{GROUP}/providers/Microsoft.ContainerRegistry/registries/x",
            "Microsoft.ContainerRegistry/registries/read",
        ),
    ],
)
def test_a_request_needs_the_right_of_what_it_does(
    method: str, path: str, first: str
) -> None:
    assert needed_actions(method, path)[0] == first


@pytest.mark.parametrize("path", ["/subscriptions", f"{PROD}/providers/X/permissions"])
def test_what_everybody_may_do_needs_no_right(path: str) -> None:
    assert needed_actions("GET", path) == ()


@pytest.mark.parametrize(("method", "path"), _DEPLOYING)
def test_the_role_that_we_publish_is_enough_and_needed(method: str, path: str) -> None:
    world = World.new(SimulatorSettings())
    rights = world.part(Rights)

    rights.replace((Permission(actions=_published_actions()),))
    rights.check(method, path, "somebody")

    rights.replace(())
    with pytest.raises(AzureError, match="does not have authorization"):
        rights.check(method, path, "somebody")


def _published_actions() -> tuple[str, ...]:
    text = (ROOT / "docs/azure.md").read_text(encoding="utf-8")
    role = json.loads(text.partition("```json\n")[2].partition("```")[0])
    return tuple(role["Actions"])
