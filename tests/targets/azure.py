"""A worker's eyes on a simulator of Azure, in this process."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from app.core.clock import Clock, SystemClock
from app.core.credential import (
    AnyCredential,
    ClientSecretCredential,
    CredentialDeclarations,
    EnvironmentReference,
)
from app.core.workspace import AzureMlWorkspace, Limits, Workspace
from app.simulator.server import Simulator
from app.simulator.tokens import Tokens
from app.simulator.world import CLIENT_ID, SimulatedWorkspace
from app.targets.azure_rest import AzureRest
from app.targets.azure_tokens import AzureTokens
from app.targets.azure_transport import azure_client
from app.targets.tokens import AccessToken

_MOMENT = datetime(2026, 11, 22, tzinfo=UTC)


def simulated(simulator: Simulator, name: str = "prod") -> SimulatedWorkspace:
    """One of the two workspaces that a simulator has at its start."""
    return next(
        each for each in simulator.world.workspaces.values() if each.name == name
    )


def workspace_at(
    place: SimulatedWorkspace,
    *,
    credential: str = "default",
    region: str | None = None,
    name: str | None = None,
    limits: Limits | None = None,
) -> Workspace:
    """Slipway's workspace for one of the simulator's."""
    return Workspace(
        id=f"ws_{place.name}_{credential}",
        name=place.name,
        project="default",
        identity=AzureMlWorkspace(
            kind="azureml",
            subscription_id=place.subscription,
            resource_group=place.group,
            workspace_name=name or place.name,
            region=region or place.region,
            credential=credential,
        ),
        limits=limits or Limits(),
        projects=None,
        created_by="admin",
        created_at=_MOMENT,
        updated_at=_MOMENT,
    )


def client_secret(
    simulator: Simulator, *, client_id: str = CLIENT_ID, variable: str = "SECRET"
) -> ClientSecretCredential:
    return ClientSecretCredential(
        kind="client_secret",
        tenant_id=simulator.world.tenant,
        client_id=client_id,
        client_secret=EnvironmentReference(kind="environment", variable=variable),
    )


def lead_to(simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every client of this process that honours the environment go there."""
    for name, value in simulator.environment().items():
        monkeypatch.setenv(name, value)


@asynccontextmanager
async def signing_in(
    declared: Mapping[str, AnyCredential],
    environ: Mapping[str, str],
    *,
    clock: Clock | None = None,
) -> AsyncIterator[AzureTokens]:
    tokens = AzureTokens(
        CredentialDeclarations(by_name=declared),
        clock=clock or SystemClock(),
        environ=environ,
    )
    try:
        yield tokens
    finally:
        await tokens.close()


class FakeClock:
    """Time that passes where somebody sleeps, and only there; all sleepers at once."""

    def __init__(self) -> None:
        self.seconds = 1000.0
        self.slept: list[float] = []

    def now(self) -> datetime:
        return _MOMENT + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        ends_at = self.seconds + seconds
        # Whoever else is about to sleep goes first.
        for _ in range(20):
            await asyncio.sleep(0)
        self.seconds = max(self.seconds, ends_at)


@dataclass
class FakeTokens:
    """Tokens that the simulator takes, without a sign-in; each credential its own."""

    simulator: Simulator | None = None
    forgotten: list[str] = field(default_factory=list)
    given: dict[str, AccessToken] = field(default_factory=dict)

    async def token(self, workspace: AzureMlWorkspace) -> AccessToken:
        name = workspace.credential
        if name not in self.given:
            self.given[name] = AccessToken(value=self._made(name), expires_at=9e9)
        return self.given[name]

    def _made(self, name: str) -> str:
        if self.simulator is None:
            return f"token-{len(self.forgotten)}-of-{name}"
        tokens = self.simulator.world.part(Tokens)
        return tokens.issue(f"client-of-{name}", "https://management.azure.com")

    async def forget(self, workspace: AzureMlWorkspace, rejected: AccessToken) -> None:
        assert self.given[workspace.credential] == rejected
        self.forgotten.append(workspace.credential)
        del self.given[workspace.credential]


@asynccontextmanager
async def rest_at(
    simulator: Simulator,
    monkeypatch: pytest.MonkeyPatch,
    *,
    clock: Clock | None = None,
    tokens: FakeTokens | None = None,
) -> AsyncIterator[AzureRest]:
    """A worker's REST client, led to the simulator as an operator would lead it."""
    lead_to(simulator, monkeypatch)
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(azure_client())
        yield AzureRest(
            client, tokens or FakeTokens(simulator), clock=clock or SystemClock()
        )


@dataclass
class FakeAzure:
    """Answers that a test makes up, and every request that was sent for them."""

    answer: Callable[[httpx.Request], httpx.Response]
    asked: list[httpx.Request] = field(default_factory=list)

    def rest(
        self, *, clock: Clock | None = None, tokens: FakeTokens | None = None
    ) -> AzureRest:
        client = azure_client(transport=httpx.MockTransport(self._answered))
        return AzureRest(client, tokens or FakeTokens(), clock=clock or FakeClock())

    def _answered(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        return self.answer(request)

    def tokens_sent(self) -> dict[str, set[str]]:
        """The tokens that each host was sent."""
        sent: dict[str, set[str]] = {}
        for request in self.asked:
            token = request.headers.get("authorization", "")
            sent.setdefault(request.url.host, set()).add(token)
        return sent


def somewhere(
    *, credential: str = "default", limits: Limits | None = None
) -> Workspace:
    """A workspace of no simulator."""
    return Workspace(
        id=f"ws_{credential}",
        name="prod",
        project="default",
        identity=AzureMlWorkspace(
            kind="azureml",
            subscription_id="11111111-2222-4333-8444-555555555555",
            resource_group="ml",
            workspace_name="prod",
            region="eastus2",
            credential=credential,
        ),
        limits=limits or Limits(),
        projects=None,
        created_by="admin",
        created_at=_MOMENT,
        updated_at=_MOMENT,
    )
