"""Twelve deployments at once to two workspaces, through one worker."""

import asyncio
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.simulator.model_registry import ModelRegistry
from tests.crash.azure_service import AzureSlipway, azure_slipway
from tests.support import eventually
from tests.targets.processes import entries

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

_PLACES = ("prod", "dev")
_SPEED = 1000.0
_FIRST = [(place, f"first-{number}") for place in _PLACES for number in range(2)]
_TWELVE = [(place, f"model-{number}") for place in _PLACES for number in range(6)]
# Connections to Azure stay open for some seconds, in case that they are of use again.
_SETTLED_SECONDS = 30.0
# The API's own socket, and those to Azure that stay open for the next look. One for
# each deployment would be twelve.
_MOST_CONNECTIONS = 6
# The directories of children, which stay for a while for the next change.
_CHILDREN = ("azureml_v1", "store-children", "cluster-children")

_Names = Collection[tuple[str, str]]


async def test_twelve_at_once_get_what_they_asked_for_and_nothing_is_left(
    server_dir: Path,
) -> None:
    async with azure_slipway(server_dir, speed=_SPEED) as azure:
        await azure.service.start()
        for place in _PLACES:
            await azure.declare(place)
        # What is kept for the next change is there from the first ones on.
        await _deploy(azure, _FIRST)
        before = _Held.of(azure)

        runs = await _deploy(azure, _TWELVE)

        for (place, name), run_id in runs.items():
            record = azure.record(name, place)
            assert record is not None
            assert record.models == (f"{name}-model:1",)
            assert f".{azure.place(place).region}." in (record.scoring_uri or "")
            version = azure.place(place).part(ModelRegistry).find(f"{name}-model", 1)
            assert version is not None
            assert version.run_id == run_id
        for place in _PLACES:
            names = [name for where, name in (*_FIRST, *_TWELVE) if where == place]
            assert azure.services(place) == sorted(names)
            assert len(azure.versions(place)) == len(names)
        assert azure.simulator.world.journal.unexpected_hosts == {}
        left: list[str] = []

        def is_nothing_left() -> bool:
            left[:] = _Held.of(azure).more_than(before)
            return not left

        with suppress(AssertionError):
            await eventually(is_nothing_left, within_seconds=_SETTLED_SECONDS)
        assert left == []


async def _deploy(azure: AzureSlipway, names: _Names) -> Mapping[tuple[str, str], str]:
    """Deploy a run's model each, all at once; return the runs once all are live."""
    uris = {(place, name): azure.logged_model(place) for place, name in names}
    await asyncio.gather(
        *(azure.put(name, uri, place) for (place, name), uri in uris.items())
    )
    ended = await asyncio.gather(*(azure.ended(name, place) for place, name in names))
    assert [found["state"] for found in ended] == ["live"] * len(names)
    return {key: uri.split("/")[1] for key, uri in uris.items()}


@dataclass(frozen=True, kw_only=True)
class _Held:
    """What the service's process has, without what it keeps for the next change.

    That is its children, each with a home, a pipe and a handle, and its sockets to
    children and database, which are bounded by their pools.
    """

    descriptors: int
    connections: int
    threads: int
    files: int

    @classmethod
    def of(cls, azure: AzureSlipway) -> "_Held":
        assert azure.service.process is not None
        process = Path(f"/proc/{azure.service.process.pid}")
        homes = [
            home
            for name in _CHILDREN
            for home in entries(azure.service.data_dir / name)
        ]
        held = _descriptors(process)
        sockets = [one for one in held if one.startswith("socket:")]
        return cls(
            descriptors=len(held) - len(sockets) - 2 * len(homes),
            connections=len(set(sockets) & _of_tcp(process)),
            threads=len(entries(process / "task")),
            files=len(entries(azure.service.data_dir))
            + sum(len(_of_requests(home)) for home in homes),
        )

    def more_than(self, before: "_Held") -> list[str]:
        """What there is more of than before, by something for each deployment.

        A pool of threads, and a child that starts, may add a few of their own.
        """
        few = len(_TWELVE) // 2
        most = {
            "connections": _MOST_CONNECTIONS,
            "descriptors": before.descriptors + few,
            "threads": before.threads + few,
            "files": before.files,
        }
        return [
            f"{getattr(self, name)} {name}, before at most {number}"
            for name, number in most.items()
            if getattr(self, name) > number
        ]


def _descriptors(process: Path) -> list[str]:
    """Return what each is of; nothing where the service shows that to root alone."""
    held = []
    with suppress(PermissionError):
        for one in entries(process / "fd"):
            # One may be closed by now.
            with suppress(FileNotFoundError):
                held.append(str(one.readlink()))
    return held


def _of_tcp(process: Path) -> set[str]:
    lines = (process / "net/tcp").read_text().splitlines()[1:]
    return {f"socket:[{line.split()[9]}]" for line in lines}


def _of_requests(home: Path) -> list[Path]:
    """What a child has of the changes that it made."""
    return [*home.glob("request"), *home.glob("tmp/*")]
