"""The job of a cluster's operation: one compute, a truthful end, whatever happens."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest

from app.core.cluster import ProvisioningError
from app.core.cluster_port import ComputePhase, UnderlyingAction
from app.core.cluster_spec import AttachCluster, CreateCluster
from app.core.failure import FailureCode, TargetError
from app.core.lifecycle import ClusterState, OperationKind, OperationState
from app.runner.running import AbortReason
from tests.fake_clusters import CHANGE, ClusterHouse, canceled, cluster_house
from tests.fakes import failure
from tests.support import eventually

ATTACH = AttachCluster(mode="attach", resource_group="theirs", cluster_name="aks")


@pytest.fixture
async def house(database_url: str) -> AsyncIterator[ClusterHouse]:
    async with cluster_house(database_url) as opened:
        yield opened


async def test_a_cluster_is_created_once_and_told_of(house: ClusterHouse) -> None:
    accepted = await house.put()

    await house.advance(accepted.operation)
    await house.advance(accepted.operation)

    cluster = await house.cluster(accepted)
    assert cluster.state is ClusterState.LIVE
    assert cluster.provisioning_state == "Succeeded"
    assert cluster.resource_id == "/aks/aks-1"
    assert cluster.applied_spec == CreateCluster()
    assert len(house.clusters.puts) == 1
    assert await house.story(cluster) == ["accepted", "started", "live"]


async def test_a_lost_answer_makes_no_second_compute(house: ClusterHouse) -> None:
    house.clusters.lost_answers = 1

    cluster = await house.live()

    assert cluster.state is ClusterState.LIVE
    assert len(house.clusters.puts) == 1


async def test_a_worker_that_dies_while_azure_works_leaves_one_compute(
    house: ClusterHouse,
) -> None:
    house.clusters.holding = True
    accepted = await house.put()
    first = asyncio.create_task(
        house.advance(accepted.operation, reason=AbortReason.SHUTDOWN)
    )
    await eventually(lambda: len(house.clusters.puts) == 1)
    await canceled(first)

    house.clusters.holding = False
    await house.advance(accepted.operation)

    ended = await house.operation(accepted.operation)
    assert (ended.state, ended.epoch) == (OperationState.SUCCEEDED, 2)
    assert len(house.clusters.puts) == 1


async def test_azure_s_provisioning_errors_are_the_cause(house: ClusterHouse) -> None:
    house.clusters.outcome = ComputePhase.FAILED
    house.clusters.errors = (ProvisioningError(code="AksFailed", message="no nodes"),)
    accepted = await house.put()

    await house.advance(accepted.operation)

    cluster = await house.cluster(accepted)
    ended = await house.operation(accepted.operation)
    assert cluster.state is ClusterState.FAILED
    assert cluster.provisioning_errors == house.clusters.errors
    assert ended.error is not None
    assert ended.error.code is FailureCode.CLUSTER_FAILED
    assert ended.error.cause == "AksFailed: no nodes"
    assert house.clusters.removed == []


async def test_a_retry_replaces_what_failed(house: ClusterHouse) -> None:
    house.clusters.outcome = ComputePhase.FAILED
    accepted = await house.put()
    await house.advance(accepted.operation)
    house.clusters.outcome = ComputePhase.READY

    again = await house.retry(accepted.operation)
    await house.advance(again)

    cluster = await house.cluster(accepted)
    assert again.retry_of == accepted.operation.id
    assert cluster.state is ClusterState.LIVE
    assert cluster.provisioning_errors == ()
    assert len(house.clusters.puts) == 2


async def test_somebody_else_s_compute_fails_the_operation_and_stays(
    house: ClusterHouse,
) -> None:
    house.clusters.add("aks-1", ComputePhase.READY)
    accepted = await house.put()

    await house.advance(accepted.operation)

    ended = await house.operation(accepted.operation)
    assert ended.error is not None
    assert ended.error.code is FailureCode.NAME_TAKEN_AT_TARGET
    assert house.clusters.removed == []
    assert house.clusters.puts == []


async def test_an_operation_over_its_deadline_fails(house: ClusterHouse) -> None:
    house.clusters.holding = True
    accepted = await house.put(change=replace(CHANGE, deadline=timedelta(seconds=0.5)))

    await house.advance(accepted.operation)

    ended = await house.operation(accepted.operation)
    assert ended.error is not None
    assert ended.error.code is FailureCode.DEADLINE_EXCEEDED


@pytest.mark.parametrize(
    ("spec", "action"),
    [
        (CreateCluster(), UnderlyingAction.DELETE),
        (ATTACH, UnderlyingAction.DETACH),
    ],
)
async def test_a_canceled_creation_is_taken_back(
    house: ClusterHouse,
    spec: CreateCluster | AttachCluster,
    action: UnderlyingAction,
) -> None:
    house.clusters.holding = True
    accepted = await house.put(spec)
    running = asyncio.create_task(
        house.advance(accepted.operation, reason=AbortReason.USER_REQUEST)
    )
    await eventually(lambda: len(house.clusters.puts) == 1)

    await house.cancel(accepted.operation)
    house.clusters.holding = False
    running.cancel()
    await running

    cluster = await house.cluster(accepted)
    assert cluster.state is ClusterState.CANCELED
    assert house.clusters.removed == [("aks-1", action)]
    assert house.clusters.computes == {}
    assert await house.story(cluster) == ["accepted", "started", "canceled"]


async def test_a_certificate_is_changed_in_place(house: ClusterHouse) -> None:
    before = await house.live()

    accepted = await house.put(CreateCluster(leaf_domain_label="models"))
    await house.advance(accepted.operation)

    cluster = await house.cluster(accepted)
    assert accepted.operation.kind is OperationKind.CLUSTER_UPDATE
    assert cluster.id == before.id
    assert cluster.state is ClusterState.LIVE
    assert cluster.applied_spec == CreateCluster(leaf_domain_label="models")
    assert await house.story(cluster) == [
        "accepted",
        "started",
        "live",
        "accepted",
        "started",
        "updated",
    ]


async def test_a_failed_change_leaves_the_cluster_live_and_never_removes_it(
    house: ClusterHouse,
) -> None:
    await house.live()
    house.clusters.outcome = ComputePhase.FAILED

    accepted = await house.put(CreateCluster(leaf_domain_label="models"))
    await house.advance(accepted.operation)

    cluster = await house.cluster(accepted)
    ended = await house.operation(accepted.operation)
    assert ended.state is OperationState.FAILED
    assert cluster.state is ClusterState.LIVE
    assert cluster.spec == CreateCluster()
    assert house.clusters.removed == []


@pytest.mark.parametrize(
    ("spec", "asked", "action"),
    [
        (CreateCluster(), None, UnderlyingAction.DELETE),
        (CreateCluster(), UnderlyingAction.DETACH, UnderlyingAction.DETACH),
        (ATTACH, None, UnderlyingAction.DETACH),
    ],
)
async def test_a_cluster_leaves_as_it_came_or_as_asked(
    house: ClusterHouse,
    spec: CreateCluster | AttachCluster,
    asked: UnderlyingAction | None,
    action: UnderlyingAction,
) -> None:
    await house.live(spec)

    accepted = await house.delete(underlying=asked)
    await house.advance(accepted.operation)

    cluster = await house.cluster(accepted)
    assert cluster.state is ClusterState.DELETED
    assert house.clusters.removed == [("aks-1", action)]
    assert (await house.story(cluster))[-3:] == ["deleting", "started", "deleted"]


async def test_a_removal_that_azure_refuses_can_be_tried_again(
    house: ClusterHouse,
) -> None:
    await house.live()
    accepted = await house.delete()
    refusal = TargetError(failure(FailureCode.PERMISSION_DENIED, cause="no right"))
    house.clusters.broken.append(refusal)
    await house.advance(accepted.operation)
    failed = await house.cluster(accepted)

    again = await house.retry(accepted.operation)
    await house.advance(again)

    cluster = await house.cluster(accepted)
    ended = await house.operation(accepted.operation)
    assert failed.state is ClusterState.FAILED
    assert ended.error is not None
    assert ended.error.code is FailureCode.DELETE_FAILED
    assert ended.error.cause == "no right"
    assert cluster.state is ClusterState.DELETED


async def test_a_removal_goes_before_a_creation_that_runs(house: ClusterHouse) -> None:
    house.clusters.holding = True
    created = await house.put()
    running = asyncio.create_task(
        house.advance(created.operation, reason=AbortReason.USER_REQUEST)
    )
    await eventually(lambda: len(house.clusters.puts) == 1)

    removal = await house.delete(underlying=UnderlyingAction.DETACH)
    house.clusters.holding = False
    running.cancel()
    await running
    await house.advance(removal.operation)

    cluster = await house.cluster(created)
    assert cluster.state is ClusterState.DELETED
    assert house.clusters.removed == [("aks-1", UnderlyingAction.DETACH)]
