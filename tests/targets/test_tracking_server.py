"""A tracking server that lies, breaks, or sees its caller die."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from app.core.failure import FailureCode, TargetError
from app.core.model_uri import parse_model_uri
from app.core.target import Mark, ResolvedModel, ResolveRequest
from app.core.workspace import Workspace
from app.targets.mlflow_store import MlflowStore
from app.targets.model_files import FileLimits
from app.targets.store_pool import PoolSettings
from tests.fakes import FakeLease
from tests.models import workspace_of
from tests.targets.processes import pids_of
from tests.targets.tracking import RUN, Tracking, serving

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

LEASE = FakeLease()
_DESCRIPTION = b"flavors:\n  python_function:\n    loader_module: mlflow.sklearn\n"
_MODEL = ResolvedModel(name="m", version="1", uri="models:/m/1")


@dataclass(frozen=True, kw_only=True)
class Opened:
    """The adapter and the server that its workspace names."""

    adapter: MlflowStore
    tracking: Tracking
    directory: Path

    @property
    def workspace(self) -> Workspace:
        return workspace_of(self.tracking.uri)

    async def resolve(self, operation: str = "op_1") -> ResolvedModel:
        request = ResolveRequest(
            workspace=self.workspace,
            uri=parse_model_uri(f"runs:/{RUN}/model"),
            register_as="m",
            tags={},
            mark=Mark(
                installation="i",
                deployment="d",
                revision=1,
                operation=operation,
                epoch=1,
            ),
        )
        return await self.adapter.resolve(request, LEASE)

    async def fetch(self, name: str) -> Path:
        destination = self.directory / name
        await self.adapter.fetch(self.workspace, _MODEL, destination)
        return destination


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Opened]:
    directory = tmp_path_factory.mktemp("tracking")
    with serving(Tracking()) as tracking:
        adapter = MlflowStore(
            directory / "children",
            local_stores=[],
            limits=FileLimits(max_bytes=5000, max_files=20),
            pool=PoolSettings(max_children=1),
        )
        await adapter.start()
        yield Opened(adapter=adapter, tracking=tracking, directory=directory)
        await adapter.close()


@pytest.fixture
def opened(shared: Opened) -> Opened:
    """The shared server as if it were new: importing MLflow again would take long."""
    fresh = Tracking(uri=shared.tracking.uri)
    fresh.files["MLmodel"] = _DESCRIPTION
    fresh.names.add("m")
    fresh.versions[1] = {"name": "m", "version": "1", "status": "READY"}
    vars(shared.tracking).update(vars(fresh))
    return shared


async def test_files_come_from_the_server_s_own_artifacts(opened: Opened) -> None:
    opened.tracking.files["code.py"] = b"a = 1"

    fetched = await opened.fetch("whole")

    assert {path.name for path in fetched.iterdir()} == {"MLmodel", "code.py"}


@pytest.mark.parametrize(
    "location",
    [
        "file:///etc",
        "/etc",
        "s3://bucket/model",
        "http://169.254.169.254/api/2.0/mlflow-artifacts/artifacts/latest",
        "mlflow-artifacts://evil.example/model",
        "mlflow-artifacts:/../../etc",
        "models:/m/1",
        "sftp://host/model",
    ],
)
async def test_a_location_elsewhere_is_refused_before_any_download(
    opened: Opened, location: str
) -> None:
    opened.tracking.location = location

    with pytest.raises(TargetError) as error:
        await opened.fetch("elsewhere")

    assert error.value.failure.code is FailureCode.MODEL_REFUSED
    assert not any("/artifacts" in one for one in opened.tracking.requests)
    assert not (opened.directory / "elsewhere").exists()


async def test_a_run_whose_artifacts_lie_elsewhere_is_refused(opened: Opened) -> None:
    opened.tracking.versions.clear()
    opened.tracking.run_location = "file:///etc"

    with pytest.raises(TargetError) as error:
        await opened.resolve()

    assert error.value.failure.code is FailureCode.MODEL_REFUSED
    assert opened.tracking.versions == {}


@pytest.mark.parametrize(
    "path", ["../outside", "/etc/x", "..", "a/../../x", "%2e%2e/x"]
)
async def test_a_listing_that_climbs_writes_nothing_outside(
    opened: Opened, path: str
) -> None:
    listing = {"files": [{"path": path, "is_dir": False, "file_size": 1}]}
    opened.tracking.files["MLmodel"] = _DESCRIPTION
    opened.tracking.overrides["/api/2.0/mlflow-artifacts/artifacts"] = listing

    with pytest.raises(TargetError):
        await opened.fetch("climbing")

    assert not (opened.directory / "climbing").exists()


async def test_a_file_over_the_limit_is_refused(opened: Opened) -> None:
    opened.tracking.files["weights"] = b"x" * 100_000

    with pytest.raises(TargetError) as error:
        await opened.fetch("large")

    assert error.value.failure.code is FailureCode.MODEL_REFUSED
    assert "larger" in error.value.failure.message


async def test_a_description_that_climbs_is_refused_over_http(opened: Opened) -> None:
    opened.tracking.files["MLmodel"] += b"    data: ../../admin.key\n"

    with pytest.raises(TargetError) as error:
        await opened.adapter.inspect(opened.workspace, _MODEL)

    assert error.value.failure.code is FailureCode.MODEL_REFUSED


@pytest.mark.parametrize(
    ("status", "is_transient"),
    [(500, True), (503, True), (429, True), (401, False), (403, False), (400, False)],
)
async def test_what_is_worth_another_try_is_told_by_the_status(
    opened: Opened, status: int, *, is_transient: bool
) -> None:
    opened.tracking.overrides["model-versions/get"] = (status, b"it is broken")

    with pytest.raises(TargetError) as error:
        await opened.adapter.find(opened.workspace, parse_model_uri("models:/m/1"))

    assert error.value.failure.code is FailureCode.MODEL_STORE_UNAVAILABLE
    assert error.value.transient == is_transient


async def test_a_redirect_is_not_followed(opened: Opened) -> None:
    opened.tracking.overrides["model-versions/get"] = (302, b"")

    with pytest.raises(TargetError) as error:
        await opened.adapter.find(opened.workspace, parse_model_uri("models:/m/1"))

    assert error.value.failure.code is FailureCode.MODEL_STORE_UNAVAILABLE
    assert "127.0.0.1:1" not in (error.value.failure.cause or "")


async def test_what_a_server_says_is_quoted_without_control_characters(
    opened: Opened,
) -> None:
    hostile = {"error_code": "PERMISSION_DENIED", "message": "\x1b[2Jno\0 rights"}
    answer = (403, json.dumps(hostile).encode())
    opened.tracking.overrides["model-versions/get"] = answer

    with pytest.raises(TargetError) as error:
        await opened.adapter.find(opened.workspace, parse_model_uri("models:/m/1"))

    cause = error.value.failure.cause or ""
    assert "no rights" in cause
    assert cause.isprintable()


@pytest.mark.parametrize("route", ["registered-models/create", "model-versions/create"])
async def test_a_child_killed_right_after_a_write_leaves_one_version_in_use(
    opened: Opened, route: str
) -> None:
    opened.tracking.versions.clear()
    opened.tracking.names.clear()
    opened.tracking.after = _killing(opened.directory, route)

    with pytest.raises(TargetError) as error:
        await opened.resolve()
    opened.tracking.after = lambda _: None
    models = [await opened.resolve(), await opened.resolve("op_2")]

    assert error.value.transient
    assert "SIGKILL" in (error.value.failure.cause or "")
    assert models == [_MODEL, _MODEL]
    assert set(opened.tracking.versions) == {1}


def _killing(directory: Path, wanted: str) -> Callable[[str], None]:
    def kill(route: str) -> None:
        if route == wanted:
            for pid in pids_of(directory):
                os.kill(pid, signal.SIGKILL)

    return kill


async def test_a_server_that_is_gone_is_a_transient_error(shared: Opened) -> None:
    with serving(Tracking()) as gone:
        uri = gone.uri

    with pytest.raises(TargetError) as error:
        await shared.adapter.find(workspace_of(uri), parse_model_uri("models:/m/1"))
    await asyncio.sleep(0)

    assert error.value.failure.code is FailureCode.MODEL_STORE_UNAVAILABLE
    assert error.value.transient
