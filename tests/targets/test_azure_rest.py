"""Azure over REST: reads are repeated, writes are not, and evidence is kept."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from email.utils import format_datetime

import httpx
import pytest
from typing_extensions import override

from app.core.errors import NotSupportedError
from app.core.failure import FailureCode, TargetError
from app.core.workspace import MlflowWorkspace
from app.simulator.server import Simulator
from app.targets.azure_call import Call
from app.targets.azure_paths import (
    WORKSPACE_API,
    azure_identity,
    workspace_path,
)
from app.targets.azure_rest import AzureRest
from tests.simulating import running_simulator
from tests.targets.azure import (
    FakeAzure,
    FakeClock,
    FakeTokens,
    rest_at,
    simulated,
    somewhere,
    workspace_at,
)
from tests.targets.azure_wire import FINE, READ, WRITE, in_turn, json_answer

OURS = "management.azure.com"


async def refused(rest: AzureRest, call: Call = READ) -> TargetError:
    with pytest.raises(TargetError) as caught:
        await rest.send(somewhere(), call)
    return caught.value


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
async def test_a_read_is_repeated_when_azure_cannot_answer(status: int) -> None:
    azure = in_turn(json_answer(status, {}), FINE)

    answer = await azure.rest().send(somewhere(), READ)

    assert answer.body == {"value": []}
    assert len(azure.asked) == 2


@pytest.mark.parametrize(
    "broken",
    [
        httpx.ReadError("reset"),
        httpx.RemoteProtocolError("cut"),
        httpx.ConnectError("refused"),
        httpx.Response(200, text="<html>a portal</html>"),
        httpx.Response(200, text='{"value": ['),
        httpx.Response(502, text="<html>bad gateway</html>"),
    ],
    ids=["reset", "cut", "refused", "html", "half", "html-502"],
)
async def test_a_read_is_repeated_when_the_answer_is_none(
    broken: httpx.Response | Exception,
) -> None:
    azure = in_turn(broken, FINE)

    answer = await azure.rest().send(somewhere(), READ)

    assert answer.is_success
    assert len(azure.asked) == 2


async def test_a_read_is_not_repeated_for_ever() -> None:
    azure = in_turn(json_answer(503, {}))

    error = await refused(azure.rest())

    assert error.transient
    assert error.failure.code is FailureCode.TARGET_UNAVAILABLE
    assert len(azure.asked) == 4


@pytest.mark.parametrize(
    "broken",
    [httpx.ReadError("reset"), json_answer(503, {}), json_answer(429, {})],
    ids=["reset", "503", "429"],
)
async def test_a_write_is_never_repeated(broken: httpx.Response | Exception) -> None:
    azure = in_turn(broken, FINE)

    error = await refused(azure.rest(), WRITE)

    assert error.transient
    assert len(azure.asked) == 1


async def test_a_write_whose_answer_was_lost_says_that_nobody_knows() -> None:
    lost = await refused(in_turn(httpx.ReadError("reset")).rest(), WRITE)
    unsent = await refused(in_turn(httpx.ConnectError("refused")).rest(), WRITE)

    assert "not known" in lost.failure.message
    assert "not known" not in unsent.failure.message


async def test_an_old_token_is_replaced_once_also_for_a_write() -> None:
    azure = in_turn(json_answer(401, {}), FINE)
    tokens = FakeTokens()

    await azure.rest(tokens=tokens).send(somewhere(), WRITE)

    assert tokens.forgotten == ["default"]
    assert azure.tokens_sent() == {
        OURS: {"Bearer token-0-of-default", "Bearer token-1-of-default"}
    }


async def test_a_token_that_is_refused_again_is_told_and_not_tried_for_ever() -> None:
    azure = in_turn(json_answer(401, {}))

    error = await refused(azure.rest())

    assert error.failure.code is FailureCode.CREDENTIAL_FAILED
    assert len(azure.asked) == 2


@pytest.mark.parametrize("is_date", [False, True])
async def test_a_429_makes_everybody_wait_as_long_as_azure_says(
    *, is_date: bool
) -> None:
    clock = FakeClock()
    when = format_datetime(clock.now() + timedelta(seconds=12), usegmt=True)
    azure = in_turn(json_answer(429, {}, retry_after=when if is_date else "12"), FINE)
    rest = azure.rest(clock=clock)

    await rest.send(somewhere(), READ)

    assert clock.monotonic() >= 1012.0
    assert clock.monotonic() < 1030.0


async def test_a_wait_that_is_too_long_is_left_to_whoever_asked() -> None:
    azure = in_turn(json_answer(429, {}, retry_after="120"), FINE)

    error = await refused(azure.rest())

    assert error.failure.code is FailureCode.THROTTLED
    assert error.retry_after_seconds == 120
    assert len(azure.asked) == 1


async def test_the_ids_for_azures_support_are_kept() -> None:
    body = {"code": "X", "correlation": {"RequestId": "c-3", "operation": "c-1"}}
    azure = in_turn(
        json_answer(
            400, body, x_ms_request_id="c-1", x_ms_correlation_request_id="c-2\x07"
        )
    )

    error = await refused(azure.rest())

    assert error.failure.evidence.correlation_ids == ("c-1", "c-2", "c-3")


async def test_an_answer_without_end_is_given_up() -> None:
    class Endless(httpx.AsyncByteStream):
        @override
        async def __aiter__(self) -> AsyncIterator[bytes]:
            while True:
                yield b" " * 1024 * 1024

    azure = FakeAzure(lambda _: httpx.Response(200, stream=Endless()))

    error = await refused(azure.rest(), WRITE)

    assert "larger than" in (error.failure.cause or "")


async def test_another_kind_of_workspace_is_refused() -> None:
    azure = in_turn(FINE)
    store = MlflowWorkspace(tracking_uri="https://mlflow.example.com")
    plain = replace(somewhere(), identity=store)

    with pytest.raises(NotSupportedError):
        await azure.rest().send(plain, READ)


async def test_faults_of_the_wire_are_overcome_at_the_simulator(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with (
        running_simulator() as simulator,
        rest_at(simulator, monkeypatch, clock=FakeClock()) as rest,
    ):
        workspace = workspace_at(simulated(simulator))
        for fault in _READ_FAULTS:
            simulator.world.faults.add(fault)
            answer = await rest.send(workspace, _looking(simulator))
            assert answer.body["name"] == "prod", fault


_READ_FAULTS = (
    "throttled",
    "server-error",
    "html",
    "dropped-connection",
    "lost-answer",
    "truncated-answer",
    "malformed-answer",
    "unauthorized",
)


def _looking(simulator: Simulator) -> Call:
    identity = azure_identity(workspace_at(simulated(simulator)))
    return Call(path=workspace_path(identity), query=WORKSPACE_API)


async def test_bodies_are_sent_as_json() -> None:
    azure = in_turn(FINE)

    await azure.rest().send(somewhere(), WRITE)

    assert json.loads(azure.asked[0].content) == {"a": 1}
