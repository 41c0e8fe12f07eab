"""A deployment to a cluster that is not there yet waits, or fails at once."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import ClassVar

import pytest

from app.core.aks_options import AksOptions
from app.core.cluster import ProvisioningError
from app.core.cluster_port import ComputePhase
from app.core.deployment import Operation
from app.core.failure import FailureCode
from app.core.lifecycle import OperationState, Phase
from app.core.target import Target
from app.runner.operations import OperationRunner
from app.runner.work import Work
from app.services import changes
from app.services.changes import Accepted
from app.storage import events
from tests.building import OPTIONS, spec
from tests.fake_clusters import ClusterHouse, cluster_house
from tests.fakes import FakeTarget
from tests.support import eventually


@dataclass
class FakeAks(FakeTarget):
    """The fake target under the name of the real one."""

    kind: ClassVar[str] = "aks"


@dataclass(kw_only=True)
class AksHouse(ClusterHouse):
    """A house of clusters whose worker also deploys to them."""

    async def deploy(self) -> Accepted:
        wanted = replace(
            spec("models:/m/1"),
            target=AksOptions(kind="aks", compute_target_name="aks-1"),
        )
        async with self.context.database.transaction() as tx:
            return await changes.create(
                self.context, tx, self.workspace, "d1", spec=wanted, options=OPTIONS
            )

    async def run(self, operation: Operation) -> Operation:
        await OperationRunner(self._work()).advance(
            self.building.job(), operation_id=operation.id
        )
        return await self.operation(operation)

    async def lines(self, deployment_id: str) -> list[str]:
        async with self.context.database.reading() as connection:
            told = await events.of_deployment(
                connection, deployment_id, after=0, limit=100
            )
        return [str(event.data["detail"]) for event in told if "detail" in event.data]

    def _work(self) -> Work:
        aks: Target = FakeAks()
        return replace(self.work(), targets={"aks": aks})


@pytest.fixture
async def house(database_url: str) -> AsyncIterator[AksHouse]:
    async with cluster_house(database_url) as opened:
        yield AksHouse(building=opened.building, workspace=opened.workspace)


async def test_it_waits_for_a_cluster_that_is_being_created(house: AksHouse) -> None:
    house.clusters.holding = True
    created = await house.put()
    creating = asyncio.create_task(house.advance(created.operation))
    accepted = await house.deploy()
    deploying = asyncio.create_task(house.run(accepted.operation))

    async def waits() -> bool:
        lines = await house.lines(accepted.deployment.id)
        return any(line.startswith("waiting for the cluster aks-1") for line in lines)

    await eventually(waits)
    waiting = await house.operation(accepted.operation)
    house.clusters.holding = False
    await creating
    ended = await deploying

    assert waiting.phase is Phase.PROVISION
    assert ended.state is OperationState.SUCCEEDED
    assert len(house.clusters.puts) == 1


async def test_a_compute_that_others_made_needs_no_put(house: AksHouse) -> None:
    house.clusters.add("aks-1", ComputePhase.READY)
    accepted = await house.deploy()

    ended = await house.run(accepted.operation)

    assert ended.state is OperationState.SUCCEEDED
    assert house.clusters.puts == []


@pytest.mark.parametrize(
    ("phase", "changes_", "code", "said"),
    [
        (None, {}, FailureCode.RESOURCE_NOT_FOUND, "no cluster aks-1"),
        (
            ComputePhase.FAILED,
            {"provisioning_errors": (ProvisioningError(code="C", message="why"),)},
            FailureCode.CLUSTER_FAILED,
            "did not provision",
        ),
        (ComputePhase.DELETING, {}, FailureCode.CLUSTER_FAILED, "being deleted"),
        (
            ComputePhase.READY,
            {"kind": "AmlCompute"},
            FailureCode.OPTIONS_REFUSED,
            "AmlCompute",
        ),
    ],
)
async def test_where_waiting_is_no_use_it_fails_at_once(
    house: AksHouse,
    phase: ComputePhase | None,
    changes_: dict[str, object],
    code: FailureCode,
    said: str,
) -> None:
    if phase is not None:
        house.clusters.holding = True
        house.clusters.add("aks-1", phase, **changes_)
    accepted = await house.deploy()

    ended = await house.run(accepted.operation)

    assert ended.error is not None
    assert ended.error.code is code
    assert said in ended.error.message


async def test_a_cluster_of_ours_that_failed_is_the_cause(house: AksHouse) -> None:
    house.clusters.outcome = ComputePhase.FAILED
    house.clusters.errors = (ProvisioningError(code="C", message="no machines"),)
    created = await house.put()
    await house.advance(created.operation)
    accepted = await house.deploy()

    ended = await house.run(accepted.operation)

    assert ended.error is not None
    assert ended.error.code is FailureCode.CLUSTER_FAILED
    assert ended.error.cause == "C: no machines"
