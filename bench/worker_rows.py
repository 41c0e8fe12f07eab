"""The rows about a worker: how soon it starts, takes over, and delivers."""

import asyncio
import json
import time

import psycopg

from app.core.principal import Principal, Scope
from app.core.webhook import Webhook, new_secret
from app.services.context import Context
from app.services.followers import seal
from app.services.webhooks import ping
from app.storage import webhooks as storage
from bench.figure import Figure
from bench.house import context, create, database, furnish, process
from tests.receiver import Answer, Receiver, receiving

_PRINCIPAL = Principal(
    id="bench", name="bench", project="default", scopes=(Scope.ADMIN,)
)
# A receiver that keeps each attempt until its time is over.
_DEAD = Answer(hangs=True)


async def start(server_url: str) -> list[Figure]:
    """From acceptance to the first call at the target, one at a time and 20 a second.

    The worker itself writes down when it called: what lies between is the wake-up, the
    operation's first phases, and waiting behind the others.
    """
    return [
        Figure(
            what=f"accepted to first call at the target, {told}",
            measured=await _starts(
                server_url, pause_seconds=pause_seconds, count=count
            ),
            goal="p50 25, p99 150 ms",
        )
        for told, pause_seconds, count in (
            ("one at a time", 0.5, 40),
            ("20 a second", 0.05, 200),
        )
    ]


async def takeover(server_url: str) -> list[Figure]:
    """Kill -9 of a worker with 300 operations in flight; another takes them over."""
    count = 300
    with database(server_url) as url:
        async with (
            context(url) as parts,
            process("-m", "bench.worker", url, "hold") as doomed,
        ):
            workspace, _ = await furnish(parts)
            for number in range(count):
                await create(parts, workspace, f"d-{number:03}")
            await _until(url, "phase = 'deploy'", count)
            async with process("-m", "bench.worker", url, "hold"):
                # A worker judges others once its own heart has beaten long enough.
                await asyncio.sleep(15)
                doomed.kill()
                begin = time.perf_counter()
                await _until(url, "epoch = 2", count)
                seconds = time.perf_counter() - begin
    return [
        Figure(
            what=f"kill -9 with {count} in flight, all taken over",
            measured=f"{seconds:.1f} s",
            goal="10 s",
        )
    ]


async def webhooks(server_url: str) -> list[Figure]:
    """Deliveries of one worker to one receiver: alone, and beside a dead one."""
    alone = await _deliveries(server_url, count=1000, is_beside_a_dead_one=False)
    beside = await _deliveries(server_url, count=200, is_beside_a_dead_one=True)
    return [
        Figure(
            what="webhooks delivered",
            measured=f"{1000 / alone:.0f}/s",
            goal="200/s",
        ),
        Figure(
            what="200 webhooks while another receiver is dead",
            measured=f"{beside:.1f} s",
            goal="1 s",
        ),
    ]


async def _starts(server_url: str, *, pause_seconds: float, count: int) -> str:
    with database(server_url) as url:
        async with (
            context(url) as parts,
            process("-m", "bench.worker", url, "told") as worker,
        ):
            workspace, _ = await furnish(parts)
            # The worker is up and connected once it has done one.
            await create(parts, workspace, "first")
            await _until(url, "state = 'succeeded'", 1)
            for number in range(count):
                await create(parts, workspace, f"d-{number:03}")
                await asyncio.sleep(pause_seconds)
            await _until(url, "state = 'succeeded'", count + 1)
        output = await worker.stdout.read() if worker.stdout else b""
        # The others are its log.
        told = [line for line in output.splitlines() if line.startswith(b"[")]
        called_at = dict(json.loads(line) for line in told)
        with psycopg.connect(url) as connection:
            accepted_at = connection.execute(
                "SELECT id, extract(epoch FROM created_at)::float8 FROM deployments "
                "WHERE name <> 'first'"
            ).fetchall()
    waits = sorted(1000 * (called_at[one] - at) for one, at in accepted_at)
    return f"p50 {waits[count // 2]:.0f} ms, p99 {waits[int(count * 0.99) - 1]:.0f} ms"


async def _deliveries(
    server_url: str, *, count: int, is_beside_a_dead_one: bool
) -> float:
    """Return the seconds in which `count` deliveries reached a receiver."""
    with database(server_url) as url:
        async with (
            context(url) as parts,
            receiving() as alive,
            receiving(*[_DEAD] * count) as dead,
        ):
            receivers = [dead, alive] if is_beside_a_dead_one else [alive]
            registered = [await _register(parts, receiver) for receiver in receivers]
            async with process("-m", "bench.worker", url, "deliver"):
                # The worker is up and connected once one has arrived.
                await _ping(parts, registered[-1])
                await alive.wait_for(1, timeout_seconds=60)
                # All at once: writing them one by one would be what is measured.
                async with parts.database.transaction() as tx:
                    for _ in range(count):
                        for webhook in registered:
                            await ping(parts, tx, webhook, principal=_PRINCIPAL)
                begin = time.perf_counter()
                await alive.wait_for(count + 1, timeout_seconds=120)
                return time.perf_counter() - begin


async def _ping(parts: Context, webhook: Webhook) -> None:
    async with parts.database.transaction() as tx:
        await ping(parts, tx, webhook, principal=_PRINCIPAL)


async def _register(parts: Context, receiver: Receiver) -> Webhook:
    now = parts.clock.now()
    webhook = Webhook(
        id=parts.ids.new("wh"),
        project="default",
        name=f"port {receiver.port}",
        url=receiver.url,
        events=("*",),
        created_by="bench",
        created_at=now,
        updated_at=now,
    )
    async with parts.database.transaction() as tx:
        sealed = seal(parts, webhook.id, new_secret(bytes(range(32))))
        await storage.create(tx, webhook, sealed)
    return webhook


async def _until(url: str, condition: str, count: int) -> None:
    query = f"SELECT count(*) FROM operations WHERE {condition}"  # noqa: S608
    async with (
        await psycopg.AsyncConnection.connect(url, autocommit=True) as connection,
        asyncio.timeout(120),
    ):
        while True:
            row = await (await connection.execute(query.encode())).fetchone()
            if row is not None and row[0] >= count:
                return
            await asyncio.sleep(0.05)
