"""Every target with a world around it, all asked in the same words."""

import tempfile
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from typing_extensions import override

from app.core.aci_options import AciOptions
from app.core.aks_options import AksOptions
from app.core.clock import SystemClock
from app.core.secret import Secret
from app.core.specs import AnyTargetOptions
from app.core.target import ApplyRequest, Handle
from app.targets.local import LocalTarget
from tests.targets.azureml_v1.v1 import CLUSTER, V1Bench, v1_bench
from tests.targets.locals import STUB_COMMAND, FakeFetcher, request
from tests.targets.processes import files_below, pids_of

SECRET = "a-secret-of-the-caller-" * 2
# A body at which a hostile model ends its process.
HOSTILE = b'{"inputs": ["crash"]}'
_OPTIONS: Mapping[str, AnyTargetOptions] = {
    "aci": AciOptions(kind="aci", primary_key=Secret(value="x")),
    "aks": AksOptions(
        kind="aks", compute_target_name=CLUSTER, primary_key=Secret(value="x")
    ),
}


class Place(ABC):
    """One target, and what the contract asks of its world."""

    target: Any

    @abstractmethod
    def request(self, name: str, *, breaks: bool = False) -> ApplyRequest:
        """What asks for `dep_<name>` with a secret; or for one that never gets up."""

    @abstractmethod
    def handle(self, name: str, *, deployment: str) -> Handle:
        """What finds `name`, if it carries the mark of `deployment`."""

    @abstractmethod
    async def lose_worker(self) -> None:
        """Have the target of a new worker, which knows nothing of what was done."""

    @abstractmethod
    def made(self, name: str) -> int:
        """How often something was made for `name` that outlives a worker."""

    @abstractmethod
    def standing(self) -> Mapping[str, object]:
        """All that stands, so that any change of it is seen."""

    @abstractmethod
    def turn_hostile(self, name: str) -> None:
        """Have a HOSTILE scoring request meet what nobody honest answers."""


class LocalPlace(Place):
    """Target `local`: confined processes below a directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._fetcher = FakeFetcher()
        self.target = self._new_target()

    @override
    def request(self, name: str, *, breaks: bool = False) -> ApplyRequest:
        if breaks:
            self._fetcher.behaviors[f"models:/m/{name}"] = {"fails": "no weights"}
        variables = {"PASSWORD": SECRET}
        return request(name, deployment=f"dep_{name}", environment_variables=variables)

    @override
    def handle(self, name: str, *, deployment: str) -> Handle:
        return {"server": f"{deployment}-r1", "deployment": name}

    @override
    async def lose_worker(self) -> None:
        # What runs ends with the worker.
        await self.target.shut_down()
        self.target = self._new_target()

    @override
    def made(self, name: str) -> int:
        return self._fetcher.fetched.count(f"models:/m/{name}")

    @override
    def standing(self) -> Mapping[str, object]:
        homes = self._directory / "servers"
        return {
            "processes": sorted(pids_of(self._directory)),
            "files": sorted(files_below(homes)),
        }

    @override
    def turn_hostile(self, name: str) -> None:
        """Nothing to do: the model itself is."""

    def _new_target(self) -> LocalTarget:
        return LocalTarget(
            self._directory,
            fetcher=self._fetcher,
            clock=SystemClock(),
            command=STUB_COMMAND,
            grace_seconds=5,
        )


class AzurePlace(Place):
    """Target `aci` or `aks`: the simulator, through the real azureml-core."""

    def __init__(self, kind: str, bench: V1Bench) -> None:
        self._bench = bench
        self._options = _OPTIONS[kind]
        self.target = bench.target(self._options)

    @override
    def request(self, name: str, *, breaks: bool = False) -> ApplyRequest:
        return self._bench.request(
            self._options,
            self._named(name),
            secrets={"primary_key": SECRET},
            tags={"simulate": "crash-loop"} if breaks else {},
        )

    @override
    def handle(self, name: str, *, deployment: str) -> Handle:
        mark = self.request(name).mark
        return {
            "workspace": self._bench.workspaces["prod"].id,
            "service": self._named(name),
            "installation": mark.installation,
            "deployment": deployment.replace(name, self._named(name)),
        }

    @override
    async def lose_worker(self) -> None:
        parts = self.target._parts  # noqa: SLF001 - what does outlive it: connections
        self.target = type(self.target)(parts)

    @override
    def made(self, name: str) -> int:
        created = self._bench.writes("POST", "/services")
        return [one["name"] for one in created].count(self._named(name))

    @override
    def standing(self) -> Mapping[str, object]:
        records = {name: self._bench.record(name) for name in self._bench.names()}
        return {
            name: (record.id, record.updated_at, record.document)
            for name, record in records.items()
            if record is not None and record.compute_type.lower() == self.target.kind
        }

    @override
    def turn_hostile(self, name: str) -> None:
        faults = self._bench.simulator.world.faults
        keys = {"path": f"*/services/{self._named(name)}/listkeys"}
        faults.add("malformed-answer", times=None, where=keys)

    def _named(self, name: str) -> str:
        # Both kinds have their names in one space.
        return f"{name}-{self._options.kind}"


@asynccontextmanager
async def every_place(
    directory: Path, environment: pytest.MonkeyPatch
) -> AsyncIterator[Mapping[str, Place]]:
    """All targets by kind; nothing of them is left when the block ends."""
    # The addresses of sockets are short, unlike pytest's directories.
    with tempfile.TemporaryDirectory(prefix="slw-") as short:
        local = LocalPlace(Path(short))
        try:
            async with v1_bench(directory, environment) as bench:
                at_azure = {kind: AzurePlace(kind, bench) for kind in _OPTIONS}
                yield {"local": local, **at_azure}
                journal = bench.simulator.world.journal
                assert journal.unexpected_hosts == {}
                assert journal.unknown() == []
        finally:
            await local.target.shut_down()
