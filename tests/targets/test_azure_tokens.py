"""Sign-ins by the real azure-identity, at the simulator's Azure AD."""

import asyncio
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from typing_extensions import override

from app.core.clock import SystemClock
from app.core.credential import (
    AnyCredential,
)
from app.core.failure import FailureCode, TargetError
from app.core.workspace import AzureMlWorkspace
from app.simulator.server import Simulator
from app.simulator.world import CLIENT_SECRET
from app.targets.azure_paths import azure_identity
from app.targets.azure_tokens import AzureTokens
from tests.simulating import running_simulator
from tests.targets.azure import (
    client_secret,
    lead_to,
    signing_in,
    simulated,
    workspace_at,
)

OTHER_CLIENT = "c11e0000-aaaa-4bbb-8ccc-000000000002"


SECRETS = {"SECRET": CLIENT_SECRET, "OTHER_SECRET": "another-secret"}


def at(simulator: Simulator, credential: str = "default") -> AzureMlWorkspace:
    return azure_identity(workspace_at(simulated(simulator), credential=credential))


def environment(simulator: Simulator) -> Mapping[str, str]:
    return {**simulator.environment(), **SECRETS}


def sign_ins(simulator: Simulator) -> int:
    """How often a token was asked for."""
    requests = simulator.world.journal.requests
    return sum(request.path.endswith("/token") for request in requests)


async def failure_of(tokens: AzureTokens, workspace: AzureMlWorkspace) -> TargetError:
    with pytest.raises(TargetError) as caught:
        await tokens.token(workspace)
    assert caught.value.failure.code is FailureCode.CREDENTIAL_FAILED
    return caught.value


async def test_all_who_need_a_token_at_once_wait_for_one_sign_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with running_simulator() as simulator:
        lead_to(simulator, monkeypatch)
        declared = {"default": client_secret(simulator)}
        async with signing_in(declared, environment(simulator)) as tokens:
            given = await asyncio.gather(
                *(tokens.token(at(simulator)) for _ in range(20))
            )

            assert len({token.value for token in given}) == 1
            assert sign_ins(simulator) == 1
            assert not simulator.world.journal.unexpected_hosts


class LaterClock(SystemClock):
    """The machine's clock, some seconds later."""

    later_seconds = 0.0

    @override
    def now(self) -> datetime:
        return super().now() + timedelta(seconds=self.later_seconds)


async def test_a_token_near_its_end_is_replaced_but_not_at_each_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = LaterClock()
    async with running_simulator() as simulator:
        lead_to(simulator, monkeypatch)
        declared = {"default": client_secret(simulator)}
        async with signing_in(declared, environment(simulator), clock=clock) as tokens:
            await tokens.token(at(simulator))
            clock.later_seconds = 3200.0
            await tokens.token(at(simulator))
            assert sign_ins(simulator) == 1

            # Less than five minutes are left, and of the next one too.
            clock.later_seconds = 3400.0
            for _ in range(3):
                await tokens.token(at(simulator))
            assert sign_ins(simulator) == 2


async def test_a_token_that_was_refused_is_replaced_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with running_simulator() as simulator:
        lead_to(simulator, monkeypatch)
        # Tokens of the same second are told apart by their ends alone.
        simulator.world.faults.add("short-token")
        declared = {"default": client_secret(simulator)}
        async with signing_in(declared, environment(simulator)) as tokens:
            first = await tokens.token(at(simulator))
            await tokens.forget(at(simulator), first)
            second = await tokens.token(at(simulator))
            # Somebody else was refused the first one too, and says so late.
            await tokens.forget(at(simulator), first)

            assert second == await tokens.token(at(simulator))
            assert sign_ins(simulator) == 2


async def test_two_credentials_never_mix(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_simulator() as simulator:
        lead_to(simulator, monkeypatch)
        simulator.world.clients[OTHER_CLIENT] = "another-secret"
        declared: dict[str, AnyCredential] = {
            "one": client_secret(simulator),
            "two": client_secret(
                simulator, client_id=OTHER_CLIENT, variable="OTHER_SECRET"
            ),
        }
        async with signing_in(declared, environment(simulator)) as tokens:
            one, two, again = await asyncio.gather(
                *(tokens.token(at(simulator, name)) for name in ("one", "two", "one"))
            )

            assert one == again
            assert one.value != two.value


async def test_a_wrong_secret_is_told_by_azures_code_and_never_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with running_simulator() as simulator:
        lead_to(simulator, monkeypatch)
        declared = {"default": client_secret(simulator)}
        environ = {**environment(simulator), "SECRET": "hunter2-is-wrong"}
        async with signing_in(declared, environ) as tokens:
            error = await failure_of(tokens, at(simulator))

            assert error.failure.evidence.azure_code == "AADSTS7000215"
            assert "secret's value" in error.failure.remedy
            assert error.failure.evidence.correlation_ids
            assert not error.transient
            assert "hunter2" not in repr(error.failure)

            # The operator puts it right, and no restart is needed.
            environ["SECRET"] = CLIENT_SECRET
            assert (await tokens.token(at(simulator))).value


async def test_a_sign_in_that_reaches_nobody_is_worth_another_try(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with running_simulator() as simulator:
        lead_to(simulator, monkeypatch)
        declared = {"default": client_secret(simulator)}
        simulator.world.faults.add(
            "dropped-connection", times=None, where={"path": "*/token"}
        )
        async with signing_in(declared, environment(simulator)) as tokens:
            error = await failure_of(tokens, at(simulator))

            assert error.transient
            assert "HTTPS_PROXY" in error.failure.remedy


async def test_a_credential_is_used_within_its_scopes_and_nowhere_else() -> None:
    async with running_simulator() as simulator:
        place = at(simulator)
        elsewhere = "/subscriptions/99999999-2222-4333-8444-555555555555"
        declared = {"default": replace(client_secret(simulator), scopes=(elsewhere,))}
        async with signing_in(declared, environment(simulator)) as tokens:
            error = await failure_of(tokens, place)
            unknown = await failure_of(tokens, at(simulator, "unknown"))

            assert "scopes" in error.failure.remedy
            assert "SLIPWAY_CREDENTIALS" in unknown.failure.remedy
            assert sign_ins(simulator) == 0


def test_the_modules_that_every_process_loads_load_nothing_of_azure() -> None:
    program = (
        "import sys; import app.targets.registry, app.targets.azure_tokens;"
        "import app.targets.azure_rest, app.targets.azure_workspace;"
        "print([n for n in sys.modules if n.startswith(('azure', 'msal', 'aiohttp'))])"
    )

    finished = subprocess.run(  # noqa: S603 - our own interpreter and program
        [sys.executable, "-c", program],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )

    assert finished.stdout.strip() == "[]"
