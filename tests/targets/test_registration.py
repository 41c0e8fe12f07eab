"""Registering once, whoever asks and wherever they are killed."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from typing_extensions import override

from app.core.failure import TargetError
from app.core.lease import Lease, LeaseLostError
from app.core.model_uri import RunModelUri
from app.core.target import Mark, ResolveRequest
from app.targets.failures import store_unavailable
from app.targets.registration import RunModel, register_once
from tests.fakes import FakeLease
from tests.models import workspace_of
from tests.targets.leases import LostLease

_MODEL = RunModel(
    uri="runs:/abc/model", source="models:/m-1", run_id="abc", model_id="m-1"
)


class KilledError(Exception):
    """The worker was killed here."""


@dataclass
class FakeRegistry:
    """A registry in memory; `dies_at` kills the worker around its nth call."""

    versions: dict[int, Mapping[str, Any]] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)
    calls: list[str] = field(default_factory=list)
    dies_at: int | None = None
    dies_after: bool = False
    hidden: int = 0

    async def ask(
        self, operation: str, arguments: Mapping[str, Any], *, seconds: float
    ) -> dict[str, Any]:
        del seconds
        return await self._call(operation, arguments)

    async def change(
        self, operation: str, arguments: Mapping[str, Any], *, lease: Lease
    ) -> dict[str, Any]:
        lease.check()
        return await self._call(operation, arguments)

    async def _call(
        self, operation: str, arguments: Mapping[str, Any]
    ) -> dict[str, Any]:
        self.calls.append(operation)
        dies = len(self.calls) - 1 == self.dies_at
        await asyncio.sleep(0)
        if dies and not self.dies_after:
            raise KilledError
        answer: dict[str, Any] = getattr(self, f"_{operation}")(**arguments)
        if dies:
            raise KilledError
        return answer

    def _same_source(self, name: str, **wanted: str) -> dict[str, Any]:
        found = [
            {"version": number, "operation": made["tags"].get("slipway.operation")}
            for number, made in sorted(self.versions.items(), reverse=True)
            if made["name"] == name and made["source"] == wanted["source"]
        ]
        return {"versions": found}

    def _has_model(self, name: str) -> dict[str, Any]:
        return {"exists": name in self.names}

    def _create_model(self, name: str) -> dict[str, Any]:
        if name in self.names:
            raise store_unavailable("it exists", transient=False)
        self.names.add(name)
        return {}

    def _create_version(self, **made: Any) -> dict[str, Any]:  # noqa: ANN401
        assert made["name"] in self.names
        number = max(self.versions, default=0) + 1
        self.versions[number] = made
        return {"version": number}

    def _delete_version(self, name: str, version: str) -> dict[str, Any]:
        assert self.versions[int(version)]["name"] == name
        del self.versions[int(version)]
        return {}


def _request(operation: str = "op_1") -> ResolveRequest:
    return ResolveRequest(
        workspace=workspace_of("http://127.0.0.1:5000"),
        uri=RunModelUri(run_id="abc", path="model"),
        register_as="diabetes-model",
        tags={"team": "research"},
        mark=Mark(
            installation="inst",
            deployment="dep",
            revision=3,
            operation=operation,
            epoch=1,
        ),
    )


async def _register(
    registry: FakeRegistry,
    operation: str = "op_1",
    *,
    lease: FakeLease | None = None,
) -> int:
    return await register_once(
        registry,
        _MODEL,
        request=_request(operation),
        lease=lease or FakeLease(),
        seconds=1,
    )


async def test_the_first_time_a_version_is_made_with_its_tags() -> None:
    registry = FakeRegistry()

    assert await _register(registry) == 1
    assert registry.versions[1]["tags"] == {
        "team": "research",
        "slipway.source": "runs:/abc/model",
        "slipway.operation": "op_1",
        "slipway.deployment": "dep",
        "slipway.installation": "inst",
        "slipway.revision": "3",
    }
    assert registry.versions[1]["run_id"] == "abc"


async def test_the_second_time_it_is_used_again_without_a_write() -> None:
    registry = FakeRegistry()
    await _register(registry)
    registry.calls.clear()

    assert await _register(registry, "op_2") == 1
    assert registry.calls == ["same_source"]


async def test_a_version_that_somebody_else_made_of_it_is_used() -> None:
    registry = FakeRegistry(
        names={"diabetes-model"},
        versions={
            4: {"name": "diabetes-model", "source": "models:/m-1", "tags": {}},
            7: {"name": "diabetes-model", "source": "models:/m-1", "tags": {}},
        },
    )

    assert await _register(registry) == 4
    assert set(registry.versions) == {4, 7}


@pytest.mark.parametrize("dies_after", [False, True])
@pytest.mark.parametrize("dies_at", range(5))
async def test_a_kill_between_any_two_steps_leaves_one_version_in_use(
    dies_at: int, *, dies_after: bool
) -> None:
    registry = FakeRegistry(dies_at=dies_at, dies_after=dies_after)
    with pytest.raises(KilledError):
        await _register(registry)
    registry.dies_at = None

    versions = {await _register(registry), await _register(registry, "op_2")}

    assert versions == {1}
    assert set(registry.versions) == {1}


@pytest.mark.parametrize("count", [2, 5])
async def test_many_at_once_agree_on_one_version(count: int) -> None:
    registry = FakeRegistry()

    versions = await asyncio.gather(
        *(_register(registry, f"op_{number}") for number in range(count))
    )

    assert set(versions) == {1}
    assert set(registry.versions) == {1}


async def test_a_killed_worker_among_others_still_leaves_one_in_use() -> None:
    for dies_at in range(12):
        registry = FakeRegistry(dies_at=dies_at, dies_after=True)
        results = await asyncio.gather(
            _register(registry, "op_1"),
            _register(registry, "op_2"),
            return_exceptions=True,
        )
        registry.dies_at = None

        again = [await _register(registry, f"op_{n}") for n in (1, 2)]

        lived = {one for one in results if isinstance(one, int)}
        assert set(again) == {min(registry.versions)}
        assert lived <= set(again)
        assert set(registry.versions) == set(again)


async def test_only_what_this_operation_made_is_removed() -> None:
    made = {"name": "diabetes-model", "source": "models:/m-1"}
    registry = FakeRegistry(
        names={"diabetes-model"},
        versions={
            1: {**made, "tags": {}},
            2: {**made, "tags": {"slipway.operation": "op_1"}},
            3: {**made, "tags": {"slipway.operation": "op_2"}},
        },
    )

    assert await _register(registry, "op_1") == 1
    assert set(registry.versions) == {1, 3}


async def test_without_a_lease_nothing_is_written() -> None:
    registry = FakeRegistry()

    with pytest.raises(LeaseLostError):
        await _register(registry, lease=LostLease())

    assert registry.versions == {}
    assert registry.names == set()


async def test_a_name_that_cannot_be_made_is_an_error() -> None:
    class Refusing(FakeRegistry):
        """A registry that lets nobody make names."""

        @override
        def _create_model(self, name: str) -> dict[str, Any]:
            raise store_unavailable(f"no rights to make {name}", transient=False)

    with pytest.raises(TargetError) as error:
        await _register(Refusing())

    assert not error.value.transient


async def test_a_version_that_is_not_ready_yet_is_looked_for_later() -> None:
    class Slow(FakeRegistry):
        """A registry whose versions get ready some time after they were made."""

        @override
        def _same_source(self, name: str, **wanted: str) -> dict[str, Any]:
            self.hidden += 1
            found = super()._same_source(name, **wanted)
            return found if self.hidden > 2 else {"versions": []}

    registry = Slow()
    with pytest.raises(TargetError) as error:
        await _register(registry)

    assert error.value.transient
    assert await _register(registry) == 1
