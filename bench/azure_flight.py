"""A thousand services on their way at once, in one worker, on the simulated Azure."""

import asyncio
import json
import os
import time
from collections.abc import Callable
from pathlib import Path

from app.core.aci_options import AciOptions
from app.core.principal import Principal, Scope
from app.core.specs import DeploymentSpec, ModelSpec, VerifySpec
from app.core.workspace import AzureMlWorkspace, Limits, Workspace
from app.services import changes
from app.services.context import Context
from app.services.planning import ChangeOptions
from app.simulator.quotas import CONTAINERS, Quotas
from app.simulator.services import ServiceBook
from app.simulator.world import SimulatedWorkspace
from app.storage import workspaces
from bench.figure import Figure
from bench.house import context, database, process, resident_megabytes
from tests.simulating import running_simulator

_COUNT = 1000
_A_SECOND = 20
# All are on their way for some seconds before the first is up.
_LATENCIES = {"image-build": 63.0, "service-create": 5.0}
_MEASURED_SECONDS = 10.0
_LONGEST_SECONDS = 150.0
_TICKS = os.sysconf("SC_CLK_TCK")


async def azure_flight(server_url: str) -> list[Figure]:
    """Memory and CPU of the worker while all are on their way, then how soon it sees.

    They come up as they were begun, twenty a second; the simulator itself, the
    database and the worker share the machine.
    """
    with database(server_url) as url:
        async with (
            running_simulator(latencies=_LATENCIES) as simulator,
            context(url) as parts,
        ):
            place = next(iter(simulator.world.workspaces.values()))
            _make_room(place)
            workspace = await _declare(parts, place)
            environment = {**simulator.environment(), "SLIPWAY_LOG_LEVEL": "WARNING"}
            async with process(
                "-m", "bench.azure_worker", url, **environment
            ) as worker:
                for number in range(_COUNT):
                    await _create(parts, workspace, f"d-{number:04}")
                    await asyncio.sleep(1 / _A_SECOND)
                book = place.part(ServiceBook)
                await _until(lambda: len(book.all()) == _COUNT)
                in_flight = sum(one.running is not None for one in book.all())
                began, busy = time.perf_counter(), _cpu_seconds(worker.pid)
                await asyncio.sleep(_MEASURED_SECONDS)
                busy = _cpu_seconds(worker.pid) - busy
                share = busy / (time.perf_counter() - began)
                ups = _ups(place)
                waits = sorted(await _notices(worker, ups))
                megabytes = resident_megabytes(worker.pid)
    p50, p99 = waits[_COUNT // 2], waits[int(_COUNT * 0.99) - 1]
    what = f"{in_flight} services in flight in one worker"
    return [
        Figure(what=f"{what}: memory", measured=f"{megabytes:.0f} MB", goal="400 MB"),
        Figure(what=f"{what}: CPU", measured=f"{share:.2f} cores", goal="0.5 cores"),
        Figure(
            what=f"a service is up to seen, {_A_SECOND} of {_COUNT} a second",
            measured=f"p50 {p50:.1f} s, p99 {p99:.1f} s",
            goal="-",
        ),
    ]


def _make_room(place: SimulatedWorkspace) -> None:
    """Raise the quotas, which end at a hundred services as Azure's do."""
    quotas = place.world.part(Quotas)
    for name in ("ContainerGroups", "StandardCores"):
        where = (place.subscription, place.region)
        quotas.set(where, CONTAINERS, name, limit=_COUNT)


async def _notices(
    worker: asyncio.subprocess.Process, ups: dict[str, float]
) -> list[float]:
    """Return for each service the seconds from its being up to its being seen up."""
    if worker.stdout is None:
        raise ValueError("the worker was started without a pipe")
    waits: dict[str, float] = {}
    async with asyncio.timeout(_LONGEST_SECONDS):
        while len(waits) < len(ups):
            line = await worker.stdout.readline()
            if line.startswith(b"["):
                name, seen_at = json.loads(line)
                waits[name] = seen_at - ups[name]
    return list(waits.values())


def _ups(place: SimulatedWorkspace) -> dict[str, float]:
    """Return by name the moment at which each service is up."""
    book = place.part(ServiceBook)
    offset = time.time() - place.world.clock.seconds()
    ups = {}
    for record in book.all():
        operation = book.operation(record.operation_id)
        ups[record.name] = offset + operation.started_seconds + operation.plan.seconds
    return ups


async def _declare(parts: Context, place: SimulatedWorkspace) -> Workspace:
    now = parts.clock.now()
    workspace = Workspace(
        id=parts.ids.new("ws"),
        name=place.name,
        project="default",
        identity=AzureMlWorkspace(
            kind="azureml",
            subscription_id=place.subscription,
            resource_group=place.group,
            workspace_name=place.name,
            region=place.region,
        ),
        limits=Limits(),
        projects=None,
        created_by="bench",
        created_at=now,
        updated_at=now,
    )
    async with parts.database.transaction() as tx:
        await workspaces.create(tx, workspace)
    return workspace


async def _create(parts: Context, workspace: Workspace, name: str) -> None:
    principal = Principal(
        id="bench", name="bench", project="default", scopes=(Scope.ADMIN,)
    )
    spec = DeploymentSpec(
        model=ModelSpec(uri="models:/m/1"),
        target=AciOptions(kind="aci"),
        verify=VerifySpec(mode="off"),
    )
    async with parts.database.transaction() as tx:
        await changes.create(
            parts,
            tx,
            workspace,
            name,
            spec=spec,
            options=ChangeOptions(principal=principal),
        )


async def _until(is_true: Callable[[], bool]) -> None:
    async with asyncio.timeout(_LONGEST_SECONDS):
        # The simulator tells nobody what it does.
        while not is_true():  # noqa: ASYNC110
            await asyncio.sleep(0.1)


def _cpu_seconds(pid: int) -> float:
    """Return what a process has used of all cores so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS
