"""What a person is told of an Azure ML workspace: its checks and its quota."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import httpx
import pytest

from app.core.azure_view import (
    CheckName,
    CheckResult,
    CheckStatus,
)
from app.core.errors import NotSupportedError
from app.core.failure import TargetError
from app.core.workspace import MlflowWorkspace, Workspace
from app.simulator.clusters import Clusters
from app.simulator.quotas import COMPUTE, CONTAINERS, CORES, Quotas
from app.simulator.rights import Permission, Rights
from app.simulator.server import Simulator
from app.simulator.world import CLIENT_SECRET, SimulatedWorkspace
from app.targets.azure_rest import AzureRest
from app.targets.azure_rights import WANTED_ACTIONS, WantedAction
from app.targets.azure_transport import azure_client
from app.targets.azure_workspace import WorkspaceInspector
from tests.simulating import running_simulator
from tests.targets.azure import (
    FakeAzure,
    FakeClock,
    FakeTokens,
    client_secret,
    lead_to,
    signing_in,
    simulated,
    somewhere,
    workspace_at,
)

WRONG = "hunter2-is-wrong"


INSTALLATION = "ins_01kanzq4w0e5m3xk7r2c9v8b1t"


ALL_OK = dict.fromkeys(CheckName, CheckStatus.OK)


@dataclass
class House:
    """An inspector, signed in at a simulator by azure-identity."""

    simulator: Simulator
    inspector: WorkspaceInspector

    @property
    def place(self) -> SimulatedWorkspace:
        return simulated(self.simulator)

    @property
    def quotas(self) -> Quotas:
        return self.simulator.world.part(Quotas)

    async def check(
        self, workspace: Workspace | None = None
    ) -> dict[CheckName, CheckResult]:
        found = await self.inspector.check(workspace or workspace_at(self.place))
        assert [each.name for each in found] == list(CheckName)
        return {each.name: each for each in found}


@asynccontextmanager
async def housed(
    monkeypatch: pytest.MonkeyPatch, *, secret: str = CLIENT_SECRET
) -> AsyncIterator[House]:
    async with running_simulator() as simulator:
        lead_to(simulator, monkeypatch)
        declared = {"default": client_secret(simulator)}
        environ = {**simulator.environment(), "SECRET": secret}
        async with signing_in(declared, environ) as tokens, azure_client() as client:
            rest = AzureRest(client, tokens, clock=FakeClock())
            yield House(simulator, WorkspaceInspector(rest, tokens))
        assert not simulator.world.journal.unexpected_hosts
        assert not simulator.world.journal.unknown()


def states(checks: dict[CheckName, CheckResult]) -> dict[CheckName, CheckStatus]:
    return {name: each.status for name, each in checks.items()}


async def test_every_check_passes_where_nothing_is_wrong(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with housed(monkeypatch) as house:
        assert states(await house.check()) == ALL_OK


async def test_a_failed_sign_in_is_named_and_the_rest_is_skipped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with housed(monkeypatch, secret=WRONG) as house:
        checks = await house.check()

        signed_in = checks.pop(CheckName.SIGN_IN)
        assert signed_in.status is CheckStatus.FAILED
        assert "AADSTS7000215" in signed_in.detail
        assert "hunter2" not in signed_in.detail
        assert signed_in.remedy
        assert set(states(checks).values()) == {CheckStatus.SKIPPED}


Break = Callable[[House], object]


def _forbid(house: House) -> None:
    rights = Permission(
        actions=("*",),
        not_actions=("Microsoft.MachineLearningServices/workspaces/services/aci/*",),
    )
    house.simulator.world.part(Rights).replace((rights,))


def _use_up(house: House) -> None:
    place = (house.place.subscription, house.place.region)
    house.quotas.set(place, CONTAINERS, "StandardCores", used=99)


def _fault(name: str, **where: str) -> Break:
    def broken(house: House) -> None:
        house.simulator.world.faults.add(name, times=None, where=where)

    return broken


@pytest.mark.parametrize(
    ("break_it", "name", "status", "told"),
    [
        (_forbid, CheckName.PERMISSIONS, CheckStatus.FAILED, "services/aci/write"),
        (_use_up, CheckName.QUOTA, CheckStatus.WARNING, "StandardCores 99/100"),
        (
            _fault("registry-missing"),
            CheckName.CONTAINER_REGISTRY,
            CheckStatus.FAILED,
            "does not exist",
        ),
        (
            _fault("forbidden", path="*/registries/*"),
            CheckName.CONTAINER_REGISTRY,
            CheckStatus.WARNING,
            "may not look",
        ),
        (
            _fault("forbidden", path="/mlflow/*"),
            CheckName.MLFLOW,
            CheckStatus.FAILED,
            "lacks a permission",
        ),
        (
            _fault("forbidden", path="*/computes"),
            CheckName.CLUSTERS,
            CheckStatus.WARNING,
            "lacks a permission",
        ),
        (
            _fault("forbidden", path="*/usages"),
            CheckName.QUOTA,
            CheckStatus.WARNING,
            "lacks a permission",
        ),
        (
            _fault("server-error", path="*/usages"),
            CheckName.QUOTA,
            CheckStatus.FAILED,
            "Azure failed inside",
        ),
    ],
)
async def test_each_fault_is_named_by_its_own_check_and_by_no_other(
    monkeypatch: pytest.MonkeyPatch,
    break_it: Break,
    name: CheckName,
    status: CheckStatus,
    told: str,
) -> None:
    async with housed(monkeypatch) as house:
        break_it(house)

        checks = await house.check()

        assert states(checks) == {**ALL_OK, name: status}
        assert told in checks[name].detail
        assert checks[name].remedy


async def test_a_missing_workspace_and_a_wrong_region_are_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with housed(monkeypatch) as house:
        missing = await house.check(workspace_at(house.place, name="elsewhere"))
        moved = await house.check(workspace_at(house.place, region="westeurope"))

        assert missing[CheckName.WORKSPACE].status is CheckStatus.FAILED
        assert missing[CheckName.MLFLOW].status is CheckStatus.SKIPPED
        assert moved[CheckName.WORKSPACE].status is CheckStatus.FAILED
        assert "'eastus2'" in (moved[CheckName.WORKSPACE].remedy or "")
        assert moved[CheckName.MLFLOW].status is CheckStatus.OK


async def test_a_cluster_that_is_not_ready_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with housed(monkeypatch) as house:
        body = {"location": "eastus2", "properties": {"computeType": "AKS"}}
        house.place.part(Clusters).put("aks-1", body)

        clusters = (await house.check())[CheckName.CLUSTERS]

        assert clusters.status is CheckStatus.WARNING
        assert "aks-1 (Creating)" in clusters.detail


async def test_a_workspace_that_is_not_azures_has_nothing_checked() -> None:
    store = MlflowWorkspace(tracking_uri="https://mlflow.example.com")
    plain = replace(somewhere(), identity=store)
    inspector = WorkspaceInspector(FakeAzure(_never).rest(), FakeTokens())

    checks = await inspector.check(plain)

    assert {each.status for each in checks} == {CheckStatus.SKIPPED}
    with pytest.raises(NotSupportedError):
        await inspector.quota(plain)
    with pytest.raises(NotSupportedError):
        await inspector.services(plain, installation=INSTALLATION)


def _never(request: httpx.Request) -> httpx.Response:
    raise AssertionError(f"asked for {request.url}")


async def test_the_fullest_quota_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    async with housed(monkeypatch) as house:
        place = (house.place.subscription, house.place.region)
        house.quotas.set(place, COMPUTE, CORES, used=90)
        house.quotas.set(place, CONTAINERS, "ContainerGroups", used=95)

        usages = await house.inspector.quota(workspace_at(house.place))

        assert [(each.name, each.used, each.limit) for each in usages[:2]] == [
            ("ContainerGroups", 95, 100),
            (CORES, 90, 100),
        ]
        assert {each.unit for each in usages} == {"Count"}


async def test_a_provider_that_cannot_be_asked_leaves_the_others_quotas(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with housed(monkeypatch) as house:
        _fault("forbidden", path="*Microsoft.Compute*")(house)
        some = await house.inspector.quota(workspace_at(house.place))
        _fault("forbidden", path="*/usages")(house)

        assert some
        with pytest.raises(TargetError):
            await house.inspector.quota(workspace_at(house.place))


@pytest.mark.parametrize("wanted", WANTED_ACTIONS, ids=lambda wanted: wanted.action)
async def test_each_missing_action_is_named_alone(
    monkeypatch: pytest.MonkeyPatch, wanted: WantedAction
) -> None:
    async with housed(monkeypatch) as house:
        pattern = wanted.action.replace("*", "anything")
        others = tuple(
            each.action for each in WANTED_ACTIONS if each.action != wanted.action
        )
        rights = Permission(actions=others, not_actions=(pattern,))
        house.simulator.world.part(Rights).replace((rights,))

        told = (await house.check())[CheckName.PERMISSIONS]

        status = CheckStatus.FAILED if wanted.is_required else CheckStatus.WARNING
        assert told.status is status
        assert told.detail.count("Microsoft.") == 1
        assert wanted.action in told.detail
