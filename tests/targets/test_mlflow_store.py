"""A real store, asked through real children. Each child costs an import of MLflow."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from app.core.failure import FailureCode, TargetError
from app.core.lease import LeaseLostError
from app.core.model_uri import parse_model_uri
from app.core.target import Mark, ResolvedModel, ResolveRequest
from app.targets.mlflow_store import MlflowStore
from app.targets.store_pool import PoolSettings
from tests.fakes import FakeLease
from tests.models import StoreOnDisk, copied_store, workspace_of
from tests.targets.leases import LostLease

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

LEASE = FakeLease()


@dataclass(frozen=True, kw_only=True)
class Opened:
    """The adapter, and the store on disk that its workspace names."""

    adapter: MlflowStore
    disk: StoreOnDisk
    directory: Path

    async def find(self, uri: str) -> ResolvedModel | None:
        return await self.adapter.find(self.disk.workspace(), parse_model_uri(uri))

    async def resolve(
        self, uri: str, name: str, *, operation: str = "op_1"
    ) -> ResolvedModel:
        return await self.adapter.resolve(self.request(uri, name, operation), LEASE)

    def request(self, uri: str, name: str, operation: str = "op_1") -> ResolveRequest:
        return ResolveRequest(
            workspace=self.disk.workspace(),
            uri=parse_model_uri(uri),
            register_as=name,
            tags={"team": "research"},
            mark=Mark(
                installation="i",
                deployment="d",
                revision=1,
                operation=operation,
                epoch=1,
            ),
        )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def opened(
    shared_store: StoreOnDisk, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Opened]:
    directory = tmp_path_factory.mktemp("store-module")
    disk = copied_store(shared_store, directory / "store")
    adapter = MlflowStore(
        directory / "children",
        local_stores=[directory],
        pool=PoolSettings(max_children=2, spare_delay_seconds=0),
    )
    await adapter.start()
    yield Opened(adapter=adapter, disk=disk, directory=directory)
    await adapter.close()


async def _refused(opened: Opened, uri: str) -> TargetError:
    with pytest.raises(TargetError) as error:
        await opened.find(uri)
    return error.value


async def test_a_run_s_model_needs_registering(opened: Opened) -> None:
    assert await opened.find(opened.disk.model_uri("ridge_a")) is None


async def test_a_run_s_model_is_registered_once(opened: Opened) -> None:
    uri = opened.disk.model_uri("ridge_a")

    first = await opened.resolve(uri, "once")
    again = await opened.resolve(uri, "once", operation="op_2")
    other = await opened.resolve(opened.disk.model_uri("ridge_b"), "once")

    assert first == ResolvedModel(name="once", version="1", uri="models:/once/1")
    assert again == first
    assert other.version == "2"


async def test_two_operations_at_once_use_one_version(opened: Opened) -> None:
    uri = opened.disk.model_uri("ridge_a")

    models = await asyncio.gather(
        opened.resolve(uri, "raced", operation="op_1"),
        opened.resolve(uri, "raced", operation="op_2"),
    )
    newest = await opened.find("models:/raced/latest")

    assert models[0] == models[1]
    assert newest == models[0]


async def test_a_logged_model_is_the_run_s_model_by_another_name(
    opened: Opened,
) -> None:
    by_run = await opened.resolve(opened.disk.model_uri("ridge_a"), "named-twice")
    folders = [path.parent.parent for path in opened.disk.directory.rglob("MLmodel")]
    uris = [f"models:/{folder.name}" for folder in folders]

    found = {(await opened.resolve(uri, "named-twice")).version for uri in uris}

    assert by_run.version in found
    assert len(found) == len(uris)


async def test_versions_aliases_and_latest_resolve_to_a_number(
    opened: Opened,
) -> None:
    await opened.resolve(opened.disk.model_uri("ridge_a"), "many")
    await opened.resolve(opened.disk.model_uri("ridge_b"), "many")

    numbered = await opened.find("models:/many/1")
    newest = await opened.find("models:/many/latest")
    resolved = await opened.resolve("models:/many/latest", "ignored")

    assert numbered == ResolvedModel(name="many", version="1", uri="models:/many/1")
    assert newest == ResolvedModel(name="many", version="2", uri="models:/many/2")
    assert resolved == newest


@pytest.mark.parametrize(
    ("uri", "names"),
    [
        ("runs:/0123456789abcdef0123456789abcdef/model", "0123456789abcdef"),
        ("models:/nobody/1", "nobody"),
        ("models:/nobody/latest", "nobody"),
        ("models:/nobody@champion", "nobody"),
        ("models:/nobody/Production", "Production"),
        ("models:/m-0123456789abcdef0123456789abcdef", "m-0123456789abcdef"),
    ],
)
async def test_what_names_nothing_is_not_found_and_named(
    opened: Opened, uri: str, names: str
) -> None:
    error = await _refused(opened, uri)

    assert error.failure.code is FailureCode.MODEL_NOT_FOUND
    assert names in error.failure.message
    assert not error.transient


async def test_a_run_without_a_model_at_that_path_is_not_found(
    opened: Opened,
) -> None:
    run = opened.disk.runs["ridge_a"]

    error = await _refused(opened, f"runs:/{run}/other")

    assert error.failure.code is FailureCode.MODEL_NOT_FOUND
    assert "'other'" in error.failure.message


async def test_without_a_lease_nothing_is_registered(opened: Opened) -> None:
    request = opened.request(opened.disk.model_uri("ridge_a"), "leased")

    with pytest.raises(LeaseLostError):
        await opened.adapter.resolve(request, LostLease())

    error = await _refused(opened, "models:/leased/latest")
    assert error.failure.code is FailureCode.MODEL_NOT_FOUND


async def test_a_write_with_hardly_any_lease_left_is_not_started(
    opened: Opened,
) -> None:
    lease = FakeLease()
    lease.seconds = 0.5
    request = opened.request(opened.disk.model_uri("ridge_a"), "hurried")

    with pytest.raises(TargetError) as error:
        await opened.adapter.resolve(request, lease)

    assert error.value.transient


async def test_a_model_s_own_account_is_read(opened: Opened) -> None:
    documented = await opened.resolve(opened.disk.model_uri("ridge_a"), "facts")
    bare = await opened.resolve(opened.disk.model_uri("bare"), "facts")

    facts = await opened.adapter.inspect(opened.disk.workspace(), documented)
    fewer = await opened.adapter.inspect(opened.disk.workspace(), bare)

    assert set(facts.flavors) == {"python_function", "sklearn"}
    assert facts.has_signature
    assert facts.mlflow_version == "3.15.0"
    assert facts.example is not None
    assert "dataframe_split" in facts.example
    assert (fewer.example, fewer.has_signature) == (None, False)


async def test_a_model_s_files_are_fetched_whole(opened: Opened) -> None:
    model = await opened.resolve(opened.disk.model_uri("nosy"), "fetched")
    destination = opened.directory / "fetched"

    await opened.adapter.fetch(opened.disk.workspace(), model, destination)

    names = {path.name for path in destination.rglob("*")}
    assert {"MLmodel", "python_model.pkl", "attempts.py"} <= names


async def test_a_symlink_among_the_files_is_refused(opened: Opened) -> None:
    model = await opened.resolve(opened.disk.model_uri("crashing"), "linked")
    (found,) = [
        path.parent
        for path in opened.disk.directory.rglob("MLmodel")
        if opened.disk.runs["crashing"] in path.read_text()
    ]
    (found / "weights").symlink_to("/etc/passwd")

    with pytest.raises(TargetError) as error:
        await opened.adapter.fetch(
            opened.disk.workspace(), model, opened.directory / "linked"
        )

    assert error.value.failure.code is FailureCode.MODEL_REFUSED
    assert not (opened.directory / "linked").exists()


async def test_a_description_that_climbs_is_refused(opened: Opened) -> None:
    model = await opened.resolve(opened.disk.model_uri("broken"), "climbing")
    (description,) = [
        path
        for path in opened.disk.directory.rglob("MLmodel")
        if opened.disk.runs["broken"] in path.read_text()
    ]
    text = description.read_text()
    description.write_text(text.replace("python_model.pkl", "../../../admin.key"))

    workspace = opened.disk.workspace()
    for refused in (
        opened.adapter.inspect(workspace, model),
        opened.adapter.fetch(workspace, model, opened.directory / "climbing"),
    ):
        with pytest.raises(TargetError) as error:
            await refused
        assert error.value.failure.code is FailureCode.MODEL_REFUSED


async def test_a_store_outside_of_the_allowed_directories_is_not_opened(
    opened: Opened,
) -> None:
    workspace = workspace_of("sqlite:////etc/mlflow.db")

    with pytest.raises(TargetError) as error:
        await opened.adapter.find(workspace, parse_model_uri("models:/a/1"))

    assert error.value.failure.code is FailureCode.MODEL_STORE_UNAVAILABLE
    assert not error.value.transient


async def test_a_missing_database_is_told_and_not_made(opened: Opened) -> None:
    path = opened.directory / "missing.db"

    with pytest.raises(TargetError) as error:
        await opened.adapter.find(
            workspace_of(f"sqlite:///{path}"), parse_model_uri("models:/a/1")
        )

    assert "missing.db" in (error.value.failure.cause or "")
    assert not error.value.transient
    assert not path.exists()
