"""Each line of the notebook does what docs/article.md says of its request."""

import re
from typing import Any

import pytest

from tests.e2e.article import Played
from tests.house.files import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def details(events: Any) -> list[str]:  # noqa: ANN401
    return [str(one["data"].get("detail")) for one in events["items"]]


def at(document: Any, path: str) -> Any:  # noqa: ANN401
    for part in path.split("/"):
        document = document[part]
    return document


def test_a_workspace_is_declared_once(article: Played) -> None:
    declared = article.body("workspace")["identity"]

    assert article.status("workspace") == 201
    assert declared["kind"] == "azureml"
    assert declared["workspace_name"] == "prod"


def test_the_caller_needs_no_package_of_azure() -> None:
    base = (ROOT / "requirements/base.txt").read_text()
    worker = (ROOT / "requirements/worker.txt").read_text()
    package = re.compile(r"^(azureml|mlflow)[\w-]*==", re.MULTILINE)

    assert package.findall(base) == []
    assert set(package.findall(worker)) == {"azureml", "mlflow"}


def test_rights_are_checked_beforehand(article: Played) -> None:
    checked = article.body("check")

    assert checked["ok"] is True
    statuses = {one["name"]: one["status"] for one in checked["checks"]}
    assert statuses["permissions"] == "ok"


def test_quotas_are_shown(article: Played) -> None:
    names = [one["name"] for one in article.body("quota")["items"]]

    assert "StandardCores" in names


def test_the_run_s_model_is_registered(article: Played) -> None:
    (version,) = article.azure["models"].values()

    assert version["run"] == article.run
    assert version["tags"]["slipway.source"] == f"runs:/{article.run}/model"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("containerResourceRequirements/cpu", 1),
        ("containerResourceRequirements/memoryInGB", 1),
        ("kvTags/method", "sklearn"),
        ("description", "Diabetes model"),
        ("location", "eastus2"),
        ("computeType", "ACI"),
    ],
)
def test_an_argument_of_aci_reaches_azure(
    article: Played, path: str, value: object
) -> None:
    assert at(article.created("diabetes-model-1"), path) == value


def test_one_request_registers_and_deploys(article: Played) -> None:
    made = article.created("diabetes-model-1")

    assert article.status("aci") == 202
    assert made["environmentImageRequest"]["modelIds"] == ["sklearn-model:1"]


def test_the_service_stands_in_the_workspace_of_the_path(article: Played) -> None:
    created = article.sent("POST", "/services")

    assert article.body("aci live")["workspace"] == "prod"
    assert {one["path"].split("/")[-2] for one in created} == {"prod"}


def test_the_model_has_the_name_asked_for(article: Played) -> None:
    assert list(article.azure["models"]) == ["sklearn-model:1"]


def test_the_service_has_the_name_of_the_path(article: Played) -> None:
    assert article.azure["services"].keys() == {"diabetes-model-1", "my-aks"}


def test_the_target_says_where_it_is_deployed(article: Played) -> None:
    kinds = {
        name: each["computeType"] for name, each in article.azure["services"].items()
    }

    assert kinds == {"diabetes-model-1": "ACI", "my-aks": "AKS"}


def test_tags_are_on_the_service_and_on_the_model_version(article: Played) -> None:
    service = article.azure["services"]["diabetes-model-1"]["kvTags"]
    version = article.azure["models"]["sklearn-model:1"]["tags"]

    assert service["method"] == "sklearn"
    assert version["team"] == "diabetes"
    assert service["slipway.deployment"] == version["slipway.deployment"]


def test_the_image_is_the_one_that_the_model_describes(article: Played) -> None:
    python = article.created("diabetes-model-1")["environmentImageRequest"][
        "environment"
    ]["python"]
    *_, last = python["condaDependencies"]["dependencies"]

    assert any(one.startswith("mlflow==") for one in last["pip"])


def test_an_answer_can_wait_for_the_end(article: Played) -> None:
    headers = article.answers["aci"]["headers"]

    assert headers["preference-applied"] == "wait=60"
    assert article.body("aci")["latest_operation"]["state"] == "succeeded"


def test_the_answer_has_the_service_and_the_model(article: Played) -> None:
    found = article.body("aci live")

    assert found["state"] == "live"
    assert found["azure"]["state"] == "Healthy"
    assert found["scoring_uri"].endswith(".eastus2.azurecontainer.io/score")
    assert found["model"] == {
        "name": "sklearn-model",
        "version": "1",
        "uri": "models:/sklearn-model/1",
    }


def test_events_have_what_the_notebook_printed(article: Played) -> None:
    told = "\n".join(details(article.body("aci events")))

    assert "Registering the environment." in told
    assert "Building image" in told
    assert "Checking the status of deployment diabetes-model-1" in told


def test_an_empty_body_makes_the_default_cluster(article: Played) -> None:
    cluster = article.azure["clusters"]["aks-mlflow"]

    assert article.status("cluster") == 202
    assert cluster["agentCount"] == 3
    assert cluster["agentVmSize"] == "Standard_D3_v2"
    assert cluster["clusterPurpose"] == "FastProd"


def test_the_cluster_s_events_have_azure_s_states(article: Played) -> None:
    told = details(article.body("cluster events"))

    assert "Azure: Creating" in told
    assert "Azure: Succeeded" in told
    assert article.body("cluster operation")["state"] == "succeeded"


@pytest.mark.parametrize(
    ("attribute", "value"),
    [("provisioning_state", "Succeeded"), ("provisioning_errors", [])],
)
def test_a_cluster_shows_what_became_of_it(
    article: Played, attribute: str, value: object
) -> None:
    assert article.body("cluster made")[attribute] == value


def test_a_deployment_waits_for_its_cluster(article: Played) -> None:
    meanwhile = article.body("cluster meanwhile")["state"]
    told = details(article.body("aks events"))

    assert article.status("aks") == 202
    assert meanwhile in {"pending", "creating"}
    assert any(one.startswith("waiting for the cluster aks-mlflow") for one in told)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("appInsightsEnabled", True),
        ("computeName", "aks-mlflow"),
        ("kvTags/method", "sklearn"),
        ("description", "Diabetes model"),
    ],
)
def test_an_argument_of_aks_reaches_azure(
    article: Played, path: str, value: object
) -> None:
    assert at(article.created("my-aks"), path) == value


def test_the_same_run_is_registered_once(article: Played) -> None:
    made = article.created("my-aks")["environmentImageRequest"]["modelIds"]

    assert made == ["sklearn-model:1"]
    assert article.body("aks live")["model"] == article.body("aci live")["model"]
    assert len(article.sent("POST", "/model-versions/create")) == 1


def test_an_operation_tells_how_it_ended(article: Played) -> None:
    followed = article.answers["aks"]["headers"]["operation-location"]
    ended = article.body("aks operation")

    assert ended["links"]["self"] == followed
    assert ended["state"] == "succeeded"
    assert ended["error"] is None


def test_deleting_leaves_no_service(article: Played) -> None:
    assert article.body("aci deleted")["state"] == "succeeded"
    assert article.body("aks deleted")["state"] == "succeeded"
    assert article.status("aci afterwards") == 404
    assert article.body("services afterwards")["items"] == []


def test_a_cluster_is_deleted_too(article: Played) -> None:
    (sent,) = article.sent("DELETE", "/computes/aks-mlflow")

    assert "underlyingresourceaction=delete" in sent["query"].lower()
    assert article.body("cluster deleted")["state"] == "succeeded"
