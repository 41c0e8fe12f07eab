"""A worker on a target that only counts: `python -m bench.worker URL [mode]`.

With `hold` nothing gets up; with `told` it prints when the target was first called for
each deployment; with `deliver` it sends webhooks instead.
"""

import asyncio
import json
import sys
from ipaddress import ip_network

from typing_extensions import override

from app.core.clock import SystemClock
from app.core.lease import Lease
from app.core.target import ApplyRequest, Handle
from app.runner.deliveries import DeliveryRunner
from app.runner.engine import Engine
from app.runner.operations import OperationRunner
from app.runner.running import TaskDefinition
from app.runner.timing import EngineSettings
from app.runner.work import Work
from app.services import tasks
from app.services.context import Context
from app.webhooks.addresses import AddressPolicy
from app.webhooks.resolver import SystemResolver
from app.webhooks.sender import Sender
from bench.house import context
from tests.fakes import FakeStore, FakeTarget, targets

_LOOPBACK = AddressPolicy(
    allow_http=True, allowed_networks=(ip_network("127.0.0.0/8"),)
)


class ToldTarget(FakeTarget):
    """Prints when it is called first for a deployment."""

    @override
    async def apply(self, request: ApplyRequest, lease: Lease) -> Handle:
        """Start the revision, and say when that was asked."""
        now = SystemClock().now().timestamp()
        print(json.dumps([request.mark.deployment, now]), flush=True)
        return await super().apply(request, lease)


async def main(url: str, mode: str) -> None:
    """Work until the process is killed."""
    async with context(url) as parts:
        definition, slots = (
            _delivery(parts) if mode == "deliver" else _operations(parts, mode)
        )
        engine = Engine(
            url,
            [definition],
            queues={definition.queue: slots},
            clock=SystemClock(),
            settings=EngineSettings(),
        )
        await engine.run(asyncio.Event())


def _operations(parts: Context, mode: str) -> tuple[TaskDefinition, int]:
    made = ToldTarget if mode == "told" else FakeTarget
    work = Work(
        context=parts,
        store=FakeStore(),
        targets=targets(made(holding=mode == "hold", pause_seconds=1.0)),
        installation_id="bench",
    )
    definition = TaskDefinition(
        name=tasks.ADVANCE,
        queue=tasks.OPERATIONS_QUEUE,
        handler=OperationRunner(work).advance,
    )
    return definition, 5000


def _delivery(parts: Context) -> tuple[TaskDefinition, int]:
    sender = Sender(_LOOPBACK, clock=SystemClock(), resolver=SystemResolver())
    definition = TaskDefinition(
        name=tasks.DELIVER,
        queue=tasks.DELIVERIES_QUEUE,
        handler=DeliveryRunner(parts, sender).deliver,
    )
    return definition, 64


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], "".join(sys.argv[2:])))
