"""Which locations of files a workspace of Azure ML may name."""

import pytest

from app.core.failure import FailureCode, TargetError
from app.core.workspace import AzureMlWorkspace, Cloud
from app.targets.store_azure import AzureScope, files_of, scope_of
from app.targets.store_locations import StoreLocation, check_artifact_location

_SCOPE = AzureScope(
    subscription_id="11111111-2222-4333-8444-555555555555",
    resource_group="ml",
    workspace_name="prod",
    host="eastus2.api.azureml.ms",
    cloud="AzureCloud",
    credential="default",
)
_STORES = (StoreLocation(uri=_SCOPE.tracking_uri, azure=_SCOPE),)
_RUN = f"{_SCOPE.tracking_uri}/experiments/e/runs/r-1/artifacts"
_OTHER = _RUN.replace("/prod/", "/dev/")


@pytest.mark.parametrize(
    "location",
    [
        f"{_RUN}/model",
        f"{_RUN}/deep/model",
        f"{_RUN}/model".replace("/v2.0/", "/v1.0/").replace(
            "resourceGroups", "resourcegroups"
        ),
        "azureml://artifacts/ExperimentRun/dcid.r-1/model",
        "azureml://artifacts/LocalUpload/260101T000000-ab/model",
    ],
)
def test_the_workspace_s_own_files_may_be_asked_for(location: str) -> None:
    assert check_artifact_location(location, _STORES) == location


@pytest.mark.parametrize(
    "location",
    [
        f"{_OTHER}/model",
        _RUN,
        f"{_RUN}/../../../secret",
        f"{_RUN}/%2e%2e/secret",
        f"{_RUN}//model",
        f"{_RUN}/model?token=x",
        f"{_RUN}/model#x",
        f"{_RUN}/mlflow/v2.0/registries/r/models/m/versions/1/storage/s/paths/p/q",
        "azureml://registries/r/models/m/versions/1",
        "azureml://evil/mlflow/v2.0/registries/r/models/m/versions/1/storage/s/paths/p/q",
        "azureml://artifacts/LocalUpload/../ExperimentRun/x",
        "azureml://artifacts/LocalUpload/a/..",
        "azureml://artifacts/LocalUpload/only",
        "azureml://datastores/x/paths/y",
        "azureml:artifacts/LocalUpload/a/b",
        "https://eastus2.api.azureml.ms/api/2.0/mlflow-artifacts/artifacts/x",
        "https://account.blob.core.windows.net/azureml/model",
        "wasbs://container@account.blob.core.windows.net/model",
        "mlflow-artifacts:/model",
        "file:///etc",
        "/etc",
    ],
)
def test_any_other_location_is_refused(location: str) -> None:
    with pytest.raises(TargetError) as error:
        check_artifact_location(location, _STORES)

    assert error.value.failure.code is FailureCode.MODEL_REFUSED
    assert "this workspace" in error.value.failure.remedy


def test_a_plain_store_may_not_point_to_azure() -> None:
    plain = (StoreLocation(uri="http://store", origin=("http", "store", 80)),)

    with pytest.raises(TargetError) as error:
        check_artifact_location(f"{_RUN}/model", plain)

    assert error.value.failure.code is FailureCode.MODEL_REFUSED


@pytest.mark.parametrize(
    ("cloud", "host"),
    [
        ("AzureCloud", "eastus2.api.azureml.ms"),
        ("AzureChinaCloud", "eastus2.api.ml.azure.cn"),
        ("AzureUSGovernment", "eastus2.api.ml.azure.us"),
    ],
)
def test_a_workspace_is_asked_at_its_region_s_host_of_its_own_cloud(
    cloud: Cloud, host: str
) -> None:
    identity = AzureMlWorkspace(
        kind="azureml",
        subscription_id=_SCOPE.subscription_id,
        resource_group="ml",
        workspace_name="prod",
        region="eastus2",
        cloud=cloud,
    )

    scope = scope_of(identity)

    assert scope.tracking_uri == (
        f"azureml://{host}/mlflow/v2.0/subscriptions/{_SCOPE.subscription_id}"
        "/resourceGroups/ml/providers/Microsoft.MachineLearningServices"
        "/workspaces/prod"
    )


def test_two_names_of_the_same_files_are_told_alike() -> None:
    by_run, by_place = (
        f"{_RUN}/model",
        "azureml://artifacts/ExperimentRun/dcid.r-1/model",
    )

    assert files_of(by_run) == files_of(by_place) != files_of(f"{_RUN}/model2")
    assert files_of("s3://bucket/model") == "s3://bucket/model"
