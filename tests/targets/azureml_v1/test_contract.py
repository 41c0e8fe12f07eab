"""What every target owes the runner, by `aci` and `aks` through the real SDK."""

import asyncio
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from app.core.aci_options import AciOptions
from app.core.aks_options import AksOptions
from app.core.failure import FailureCode, TargetError
from app.core.secret import Secret
from app.core.specs import AnyTargetOptions
from app.core.target import (
    ChangesInPlace,
    Handle,
    Invocation,
    KeyName,
    ObservedPhase,
    SupportsInvoke,
    SupportsKeys,
    SupportsLogs,
)
from tests.fakes import FakeLease
from tests.support import eventually
from tests.targets.azureml_v1.v1 import CLUSTER, V1Bench, v1_bench
from tests.targets.processes import entries, pids_of

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

_ACI = AciOptions(kind="aci", cpu_cores=1, memory_gb=1)
_AKS = AksOptions(kind="aks", compute_target_name=CLUSTER)
_BOTH = pytest.mark.parametrize("options", [_ACI, _AKS], ids=["aci", "aks"])
_BODY = b'{"inputs": [[1.0, 2.0]]}'


@_BOTH
async def test_a_target_has_every_ability_of_its_kind(
    bench: V1Bench, options: AnyTargetOptions
) -> None:
    target = bench.target(options)

    assert target.kind == options.kind
    for ability in (ChangesInPlace, SupportsInvoke, SupportsKeys, SupportsLogs):
        assert isinstance(target, ability)


@_BOTH
async def test_what_never_was_is_missing(
    bench: V1Bench, options: AnyTargetOptions
) -> None:
    handle: Handle = {"workspace": "ws_prod", "service": "never-was"}
    target = bench.target(options)

    seen = await target.observe(handle)
    with pytest.raises(TargetError) as missing:
        await target.logs(handle, source="model", tail=5)

    assert seen.phase is ObservedPhase.MISSING
    assert missing.value.failure.remedy


@_BOTH
async def test_a_service_is_seen_to_come_up_step_by_step(
    bench: V1Bench, options: AnyTargetOptions
) -> None:
    target = bench.target(options)
    request = bench.request(options, f"steps-{options.kind}")
    handle = await target.apply(request, FakeLease())

    told: list[str] = []
    phases = set()
    while True:
        seen = await target.observe(handle)
        phases.add(seen.phase)
        told += (seen.progress or "").splitlines()
        if seen.phase is not ObservedPhase.STARTING:
            break

    assert phases == {ObservedPhase.STARTING, ObservedPhase.READY}
    assert told == await target.logs(handle, source="operation", tail=100)
    assert any("deployment configuration" in line for line in told)
    assert seen.raw_state == "Healthy"
    assert (seen.scoring_uri or "").endswith("/score")
    assert (seen.swagger_uri or "").endswith("/swagger.json")


@_BOTH
async def test_a_service_answers_its_own_key(
    bench: V1Bench, options: AnyTargetOptions
) -> None:
    target = bench.target(options)
    handle = await bench.up(bench.request(options, f"scores-{options.kind}"))
    before = await target.keys(handle)

    first = await target.invoke(handle, Invocation(body=_BODY))
    await target.regenerate_key(handle, KeyName.PRIMARY, FakeLease())
    second = await target.invoke(handle, Invocation(body=_BODY))

    after = await target.keys(handle)
    assert (first.status, second.status) == (200, 200)
    assert after.primary != before.primary
    assert after.secondary == before.secondary


async def test_a_service_with_tokens_answers_a_token(bench: V1Bench) -> None:
    options = AksOptions(
        kind="aks", compute_target_name=CLUSTER, token_auth_enabled=True
    )
    handle = await bench.up(bench.request(options, "tokens"))

    token = await bench.aks.scoring_token(handle)
    answer = await bench.aks.invoke(handle, Invocation(body=_BODY))
    with pytest.raises(TargetError) as refused:
        await bench.aks.keys(handle)

    assert answer.status == 200
    assert token.refresh_after is not None
    assert token.refresh_after < token.expires_at
    assert refused.value.failure.code is FailureCode.AUTH_DISABLED


async def test_a_service_without_auth_has_neither_keys_nor_tokens(
    bench: V1Bench,
) -> None:
    options = AciOptions(kind="aci", auth_enabled=False)
    handle = await bench.up(bench.request(options, "open"))

    with pytest.raises(TargetError) as no_keys:
        await bench.aci.keys(handle)
    with pytest.raises(TargetError) as no_new_key:
        await bench.aci.regenerate_key(handle, KeyName.SECONDARY, FakeLease())
    with pytest.raises(TargetError) as no_token:
        await bench.aci.scoring_token(handle)
    answer = await bench.aci.invoke(handle, Invocation(body=_BODY))

    assert answer.status == 200
    for refused in (no_keys, no_new_key, no_token):
        assert refused.value.failure.code is FailureCode.AUTH_DISABLED


@_BOTH
async def test_a_service_has_three_logs(
    bench: V1Bench, options: AnyTargetOptions
) -> None:
    target = bench.target(options)
    name = f"logs-{options.kind}"
    handle = await bench.up(bench.request(options, name))

    logs = {
        source: await target.logs(handle, source=source, tail=200)
        for source in (*target.log_sources, "unknown")
    }

    assert any("diabetes:1" in line for line in logs["model"])
    assert any(name in line for line in logs["operation"])
    assert logs["unknown"] == []
    assert await target.logs(handle, source="model", tail=2) == logs["model"][-2:]


async def test_a_key_that_was_given_anew_is_set_and_no_other(bench: V1Bench) -> None:
    options = replace(_ACI, primary_key=Secret(value="x"))
    request = bench.request(options, "keyed", secrets={"primary_key": "first-" * 5})
    handle = await bench.up(request)
    other = (await bench.aci.keys(handle)).secondary

    await bench.up(
        replace(
            request,
            secrets={"primary_key": "second-" * 5},
            mark=replace(request.mark, revision=2),
        )
    )

    keys = await bench.aci.keys(handle)
    assert (keys.primary, keys.secondary) == ("second-" * 5, other)


async def test_a_key_regenerated_since_does_not_come_back(bench: V1Bench) -> None:
    options = replace(_ACI, primary_key=Secret(value="x"))
    request = bench.request(options, "leaked", secrets={"primary_key": "leaked-" * 5})
    handle = await bench.up(request)
    await bench.aci.regenerate_key(handle, KeyName.PRIMARY, FakeLease())

    await bench.up(replace(request, tags={}, mark=replace(request.mark, revision=2)))

    assert (await bench.aci.keys(handle)).primary != "leaked-" * 5


async def test_a_key_given_while_auth_is_turned_on_is_set(bench: V1Bench) -> None:
    open_to_all = replace(_ACI, auth_enabled=False)
    handle = await bench.up(bench.request(open_to_all, "opened"))
    options = replace(_ACI, primary_key=Secret(value="x"))

    await bench.up(
        bench.request(
            options, "opened", revision=2, secrets={"primary_key": "chosen-" * 5}
        )
    )

    assert (await bench.aci.keys(handle)).primary == "chosen-" * 5


async def test_observing_changes_nothing(bench: V1Bench) -> None:
    handle = await bench.up(bench.request(_ACI, "watched"))
    bench.simulator.world.journal.clear()

    for _ in range(3):
        await bench.aci.observe(handle)

    methods = {one.method for one in bench.simulator.world.journal.requests}
    assert methods == {"GET"}


async def test_two_workspaces_at_once_never_mix(bench: V1Bench) -> None:
    requests = [
        bench.request(_ACI, f"both-{number}", workspace=workspace)
        for number in range(3)
        for workspace in ("prod", "dev")
    ]

    await asyncio.gather(*(bench.up(request) for request in requests))

    for request in requests:
        name, workspace = request.deployment_name, request.workspace.name
        record = bench.record(name, workspace)
        assert record is not None
        region = bench.place(workspace).region
        assert f".{region}." in (record.scoring_uri or "")
    assert not set(bench.names("dev")) - {f"both-{number}" for number in range(3)}


async def test_nobody_but_azure_was_asked(bench: V1Bench) -> None:
    await bench.up(bench.request(_ACI, "asked"))

    assert bench.simulator.world.journal.unexpected_hosts == {}


async def test_nothing_is_left_behind(tmp_path: Path) -> None:
    before = _counted()

    with pytest.MonkeyPatch.context() as environment:
        async with v1_bench(tmp_path, environment) as bench:
            first = bench.request(_ACI, "first")
            handle = await bench.up(first)
            await bench.up(bench.request(_ACI, "second", workspace="dev"))
            assert pids_of(tmp_path)
            assert [one.name for one in entries(tmp_path / "sdk") if _used(one)] == []
            await bench.aci.delete(handle, FakeLease())

    assert pids_of(tmp_path) == []
    assert entries(tmp_path / "sdk") == []
    await eventually(lambda: _counted() <= before)


def _used(home: Path) -> bool:
    """Whether a child's directory holds anything of a request."""
    return (home / "request").exists() or any((home / "tmp").iterdir())


def _counted() -> tuple[int, int]:
    return len(list(Path("/proc/self/fd").iterdir())), _threads()


def _threads() -> int:
    # Threads of the loop's own pool stay for the next one to use.
    named = [one.name for one in threading.enumerate()]
    return sum(not name.startswith("asyncio_") for name in named)
