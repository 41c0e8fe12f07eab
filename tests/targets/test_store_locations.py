"""Where stores may lie, and where they may say that files lie."""

from pathlib import Path

import pytest

from app.core.errors import InvalidError
from app.core.failure import FailureCode, TargetError
from app.core.model_uri import LoggedModelUri, RunModelUri, VersionUri
from app.targets.store_locations import (
    StoreLocation,
    check_artifact_location,
    check_store_uri,
)

_MODEL_ID = "m-6d9e8bd184114f84b306dec70d3574d2"
_REMOTE = StoreLocation(
    uri="https://mlflow.example.com/team",
    origin=("https", "mlflow.example.com", 443),
)
_ROUTE = "/api/2.0/mlflow-artifacts/artifacts"


@pytest.fixture
def stores(tmp_path: Path) -> Path:
    directory = tmp_path / "stores"
    for name in ("a", "b", "with space"):
        (directory / name).mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (directory / "link").symlink_to(tmp_path / "elsewhere")
    return directory


@pytest.mark.parametrize(
    ("uri", "origin"),
    [
        ("http://127.0.0.1:5000", ("http", "127.0.0.1", 5000)),
        ("https://mlflow.example.com/team/", ("https", "mlflow.example.com", 443)),
        ("http://[::1]:5000", ("http", "::1", 5000)),
        ("https://MLflow.Example.com.", ("https", "mlflow.example.com", 443)),
    ],
)
def test_a_tracking_server_is_known_by_its_origin(
    uri: str, origin: tuple[str, str, int]
) -> None:
    location = check_store_uri(uri, local_stores=[])

    assert location.origin == origin
    assert location.directory is None


@pytest.mark.parametrize("name", ["a", "with space"])
def test_a_store_inside_an_allowed_directory_is_known_by_its_directory(
    stores: Path, name: str
) -> None:
    sqlite = check_store_uri(
        f"sqlite:///{stores}/{name}/mlflow.db", local_stores=[stores]
    )
    files = check_store_uri((stores / name).as_uri(), local_stores=[stores])

    assert sqlite == StoreLocation(
        uri=f"sqlite:///{stores}/{name}/mlflow.db", directory=stores / name
    )
    assert files == StoreLocation(uri=(stores / name).as_uri(), directory=stores / name)


@pytest.mark.parametrize(
    "uri",
    [
        "sqlite:////etc/mlflow.db",
        "sqlite:///relative.db",
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///{stores}/a/../../elsewhere/mlflow.db",
        "sqlite:///{stores}/link/mlflow.db",
        "sqlite:///{stores}/a/mlflow.db?mode=rw",
        "sqlite:///{stores}/a/%2e%2e/mlflow.db",
        "sqlite+pysqlite:///{stores}/a/mlflow.db",
        "sqlite:///{stores}-beside/mlflow.db",
        "file:///etc",
        "file://{stores}/a/..%2f..",
        "file://host{stores}/a",
        "file:relative",
        "file:////etc",
        "{stores}/a",
        "./mlruns",
        "",
        "postgresql://localhost/mlflow",
        "databricks",
        "azureml://eastus.api.azureml.ms/x",
        "FILE://{stores}/a",
        "http://user@host:5000",
        "http://user:password@host:5000",
        "http://host:5000/?token=x",
        "http://host:5000/#x",
        "http://host:99999",
        "http://host:0",
        "http://",
        "http:///path",
        "http://ho st",
        "http://host\\@evil",
        "http://host/\n",
        "http://h\u00f6st",
        "https://[::1",
        "ftp://host",
        "gopher://host",
    ],
)
def test_any_other_store_is_refused_by_its_form(stores: Path, uri: str) -> None:
    with pytest.raises(InvalidError) as error:
        check_store_uri(
            uri.format(stores=stores), local_stores=[stores], pointer="/registry_uri"
        )

    (problem,) = error.value.fields
    assert problem.pointer == "/registry_uri"
    # Never an echo of the input.
    assert "evil" not in str(error.value.detail)


@pytest.mark.parametrize(
    "location",
    [
        f"https://mlflow.example.com{_ROUTE}/1/a/artifacts",
        f"https://mlflow.example.com:443/team{_ROUTE}/1",
        "mlflow-artifacts:/1/models/m-1/artifacts",
        "mlflow-artifacts://mlflow.example.com/1/models",
        "mlflow-artifacts://mlflow.example.com:443/1/models",
    ],
)
def test_a_location_at_the_store_itself_is_followed(location: str) -> None:
    assert check_artifact_location(location, [_REMOTE]) == location


def test_a_location_that_names_a_model_is_looked_up() -> None:
    found = [
        check_artifact_location(location, [_REMOTE])
        for location in (f"models:/{_MODEL_ID}", "models:/a/7", "runs:/abc/model")
    ]

    assert found == [
        LoggedModelUri(model_id=_MODEL_ID),
        VersionUri(name="a", version="7"),
        RunModelUri(run_id="abc", path="model"),
    ]


def test_a_path_inside_a_store_on_this_machine_is_followed(stores: Path) -> None:
    local = StoreLocation(uri="sqlite:///", directory=stores / "a")

    found = [
        check_artifact_location(location, [local])
        for location in (
            f"{stores}/a/artifacts",
            f"file://{stores}/a/artifacts",
            f"file:{stores}/a/artifacts",
            f"file://{stores}/a/art%69facts",
        )
    ]

    assert set(found) == {stores / "a" / "artifacts"}


@pytest.mark.parametrize(
    "location",
    [
        "file:///etc",
        "/etc/passwd",
        "file://{stores}/a",
        "{stores}/a",
        "s3://bucket/model",
        "gs://bucket/model",
        "wasbs://container@account.blob.core.windows.net/model",
        "abfss://fs@account.dfs.core.windows.net/model",
        "dbfs:/model",
        "hdfs://host/model",
        "ftp://host/model",
        "sftp://host/model",
        "b2://bucket/model",
        "r2://bucket/model",
        "azureml://experiments/x",
        "uc:/Volumes/x",
        f"http://mlflow.example.com{_ROUTE}/1",
        f"https://mlflow.example.com:8443{_ROUTE}/1",
        f"https://evil.example{_ROUTE}/1",
        f"https://mlflow.example.com.evil.example{_ROUTE}/1",
        f"https://mlflow.example.com@evil.example{_ROUTE}/1",
        f"https://user@mlflow.example.com{_ROUTE}/1",
        "https://169.254.169.254/latest/meta-data/",
        "https://mlflow.example.com/model",
        f"https://mlflow.example.com{_ROUTE}/../../secrets",
        f"https://mlflow.example.com{_ROUTE}/%2e%2e/%2e%2e/secrets",
        f"https://mlflow.example.com{_ROUTE}/%252e%252e/secrets",
        f"https://mlflow.example.com{_ROUTE}/1?path=/etc",
        "mlflow-artifacts://evil.example/1",
        "mlflow-artifacts://5000/1",
        "mlflow-artifacts:/../../etc",
        "models:/name@champion",
        "models:/name/latest",
        "models:/name/Production",
        "models://host@databricks/name/1",
        "runs:/abc/../../etc",
        "relative/path",
        "../../etc",
        "",
        " /etc",
        "https://mlflow.example.com\\@evil.example",
        "https://[::1",
        "file:///\x00",
    ],
)
def test_any_other_location_is_refused_before_it_is_asked(
    stores: Path, location: str
) -> None:
    with pytest.raises(TargetError) as error:
        check_artifact_location(location.format(stores=stores), [_REMOTE])

    assert error.value.failure.code is FailureCode.MODEL_REFUSED
    assert not error.value.transient


@pytest.mark.parametrize(
    "location",
    [
        "{stores}/b/artifacts",
        "{stores}/a/../b",
        "file://{stores}/a/%2e%2e/b",
        "{stores}/a/out",
        "{stores}",
        "/etc",
        "a/artifacts",
        "mlflow-artifacts:/1/models",
        f"https://mlflow.example.com{_ROUTE}/1",
        "file://host{stores}/a",
        "{stores}/a/%2e%2e/b",
    ],
)
def test_a_store_on_this_machine_points_into_itself_alone(
    stores: Path, location: str
) -> None:
    (stores / "a" / "out").symlink_to(stores / "b")
    local = StoreLocation(uri="sqlite:///", directory=stores / "a")

    with pytest.raises(TargetError) as error:
        check_artifact_location(location.format(stores=stores), [local])

    assert error.value.failure.code is FailureCode.MODEL_REFUSED
