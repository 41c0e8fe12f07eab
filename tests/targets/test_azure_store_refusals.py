"""What a workspace of Azure ML, or a model in it, may not do to its store."""

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from app.core.failure import FailureCode, TargetError
from app.core.model_uri import parse_model_uri
from app.simulator.artifacts import ArtifactStore
from app.simulator.settings import SimulatorSettings
from app.simulator.world import World
from app.targets.mlflow_store import MlflowStore
from app.targets.tokens import AccessToken
from tests.targets.azure_stores import (
    AzureStores,
    azure_stores,
    azure_workspace,
    logged_run,
    put,
    registered,
    resolved,
)
from tests.targets.processes import environment_of, pids_of

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


async def _refused(opened: AzureStores, uri: str) -> TargetError:
    with pytest.raises(TargetError) as error:
        await opened.find(uri)
    return error.value


async def test_a_logged_model_is_told_to_be_unknown_without_asking(
    opened: AzureStores,
) -> None:
    error = await _refused(opened, f"models:/m-{'0' * 32}")

    assert error.failure.code is FailureCode.MODEL_NOT_FOUND
    assert "runs:/" in error.failure.remedy
    assert opened.requests("logged-models") == []


@pytest.mark.parametrize(
    "uri",
    ["models:/nobody/1", "models:/nobody@a", "models:/nobody/latest", "runs:/no/model"],
)
async def test_what_names_nothing_is_not_found(opened: AzureStores, uri: str) -> None:
    error = await _refused(opened, uri)

    assert error.failure.code is FailureCode.MODEL_NOT_FOUND
    assert not error.transient


async def test_a_run_without_a_model_at_that_path_is_not_found(
    opened: AzureStores,
) -> None:
    run_id = logged_run(opened.prod)
    put(opened.prod, run_id, "model2/MLmodel", b"flavors: {}")

    error = await _refused(opened, f"runs:/{run_id}/mod")

    assert error.failure.code is FailureCode.MODEL_NOT_FOUND
    assert "'mod'" in error.failure.message


@pytest.mark.parametrize(
    "path",
    ["../../evil", "a/../../../evil", "/etc/evil", "a//evil", "./evil", "~/evil"],
)
async def test_a_hostile_path_among_the_files_is_refused(
    opened: AzureStores, path: str
) -> None:
    run_id = logged_run(opened.prod)
    put(opened.prod, run_id, f"model/{path}", b"evil")
    model = registered(opened.prod, "ridge", run_id)

    with pytest.raises(TargetError) as error:
        await opened.fetch(opened.prod, resolved(model.name, model.version))

    assert error.value.failure.code is FailureCode.MODEL_REFUSED
    assert not list(opened.directory.rglob("evil"))


async def test_a_location_that_climbs_is_refused(opened: AzureStores) -> None:
    run_id = logged_run(opened.prod)
    model = registered(opened.prod, "ridge", run_id, path="model/../../other")

    with pytest.raises(TargetError) as error:
        await opened.fetch(opened.prod, resolved(model.name, model.version))

    assert error.value.failure.code is FailureCode.MODEL_REFUSED


async def test_a_model_over_the_limit_is_refused(opened: AzureStores) -> None:
    run_id = logged_run(opened.prod, weights=b"\x00" * 6000)
    model = await opened.resolve(run_id, "ridge")

    with pytest.raises(TargetError) as error:
        await opened.fetch(opened.prod, model)

    assert error.value.failure.code is FailureCode.MODEL_REFUSED


async def test_a_file_that_was_never_uploaded_fails_the_fetch(
    opened: AzureStores,
) -> None:
    run_id = logged_run(opened.prod)
    model = await opened.resolve(run_id, "ridge")
    container = f"dcid.{run_id}"
    opened.prod.part(ArtifactStore).create("ExperimentRun", container, "model/lost")

    with pytest.raises(TargetError) as error:
        await opened.fetch(opened.prod, model)

    assert error.value.failure.code is FailureCode.MODEL_STORE_UNAVAILABLE


async def test_an_expired_token_is_renewed(opened: AzureStores) -> None:
    run_id = logged_run(opened.prod)
    old = opened.tokens.issued(seconds=0)
    opened.tokens.first.append(old)

    model = await opened.resolve(run_id, "ridge")

    assert model.version == "1"
    assert opened.tokens.forgotten == [old]


async def test_a_token_that_expires_in_the_middle_of_a_fetch_is_renewed(
    opened: AzureStores,
) -> None:
    run_id = logged_run(opened.prod, data=b"data")
    model = await opened.resolve(run_id, "ridge")
    opened.simulator.world.faults.add("unauthorized", where={"path": "*/contentinfo"})

    fetched = await opened.fetch(opened.prod, model)

    assert {path.name for path in fetched.iterdir()} == {"MLmodel", "data"}
    assert len(opened.tokens.forgotten) == 1


async def test_a_token_that_is_refused_again_and_again_is_a_permanent_failure(
    opened: AzureStores,
) -> None:
    stranger = AccessToken(value="not.a.token", expires_at=time.time() + 3600)
    opened.tokens.first.extend([stranger, stranger])

    error = await _refused(opened, "models:/ridge/1")

    assert error.failure.code is FailureCode.CREDENTIAL_FAILED
    assert not error.transient
    assert stranger.value not in str(error.failure)


@pytest.mark.parametrize(
    ("fault", "code", "is_transient"),
    [
        ("forbidden", FailureCode.PERMISSION_DENIED, False),
        ("throttled", FailureCode.MODEL_STORE_UNAVAILABLE, True),
        ("server-error", FailureCode.MODEL_STORE_UNAVAILABLE, True),
        ("html", FailureCode.MODEL_STORE_UNAVAILABLE, True),
        ("dropped-connection", FailureCode.MODEL_STORE_UNAVAILABLE, True),
        ("malformed-answer", FailureCode.MODEL_STORE_UNAVAILABLE, True),
    ],
)
async def test_a_refusal_of_azure_is_told_as_what_it_is(
    opened: AzureStores, fault: str, code: FailureCode, *, is_transient: bool
) -> None:
    registered(opened.prod, "ridge", logged_run(opened.prod))
    opened.simulator.world.faults.add(fault, where={"path": "*/model-versions/*"})

    error = await _refused(opened, "models:/ridge/1")

    assert (error.failure.code, error.transient) == (code, is_transient)
    assert error.failure.remedy


async def test_a_workspace_that_is_gone_is_told(opened: AzureStores) -> None:
    opened.simulator.world.faults.add("workspace-missing", times=None)

    error = await _refused(opened, "models:/ridge/1")

    assert error.failure.code is FailureCode.WORKSPACE_NOT_FOUND
    assert error.failure.evidence.correlation_ids


async def test_no_child_has_a_secret_or_calls_a_stranger(
    opened: AzureStores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_CLIENT_SECRET", "very-secret")
    await opened.resolve(logged_run(opened.prod), "ridge")

    token = opened.tokens.issued().value
    children = pids_of(opened.directory)
    assert children
    for pid in children:
        told = " ".join(environment_of(pid).values())
        assert "very-secret" not in told
        assert token[:20] not in told
    journal = opened.simulator.world.journal
    assert journal.unexpected_hosts == {}
    assert journal.unknown() == []
    assert opened.requests("/metadata/endpoints") == []


async def test_without_credentials_for_azure_it_says_so(tmp_path: Path) -> None:
    adapter = MlflowStore(tmp_path / "children", local_stores=[])

    workspace = azure_workspace(
        next(iter(World.new(SimulatorSettings()).workspaces.values()))
    )

    with pytest.raises(TargetError) as error:
        await adapter.find(workspace, parse_model_uri("models:/a/1"))

    assert not error.value.transient
