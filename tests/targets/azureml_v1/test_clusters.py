"""Clusters through the real azureml-core: one, whatever is lost on the way."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio

from app.core.cluster_port import ComputePhase, UnderlyingAction
from app.core.cluster_spec import AnyClusterSpec, CreateCluster
from app.core.failure import FailureCode, TargetError
from app.core.secret import Secret
from tests.fakes import FakeLease
from tests.targets.azureml_v1.cluster_places import (
    ClusterPlace,
    cluster_place,
    mark,
)

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

_PEM = {"ssl_cert_pem": "-- a certificate --", "ssl_key_pem": "-- a key --"}
_OWN_TLS: dict[str, Any] = {
    "ssl_cname": "models.example.com",
    "ssl_cert_pem": Secret(kept="sec_" + "0" * 26),
    "ssl_key_pem": Secret(kept="sec_" + "1" * 26),
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[ClusterPlace]:
    async with cluster_place(tmp_path_factory.mktemp("clusters")) as opened:
        yield opened


async def test_one_compute_comes_of_any_number_of_calls(place: ClusterPlace) -> None:
    place.simulator.world.reset()
    request = place.request("once", CreateCluster())

    await place.apply(request)
    await place.apply(request)
    settled = await place.settled("once")
    after = await place.apply(request)

    assert settled == after
    assert after.spec_fingerprint == request.fingerprint
    assert len(place.writes("once")) == 1


async def test_a_lost_answer_to_the_put_makes_no_second_compute(
    place: ClusterPlace,
) -> None:
    place.simulator.world.reset()
    place.simulator.world.faults.add(
        "lost-answer", where={"method": "PUT", "path": "*/computes/*"}
    )

    seen = await place.apply(place.request("lost", CreateCluster()))

    assert seen.is_marked_by(mark())
    assert len(place.writes("lost")) == 1


async def test_somebody_else_s_compute_is_told_of_and_never_touched(
    place: ClusterPlace,
) -> None:
    place.simulator.world.reset()
    await place.apply(place.request("taken", CreateCluster(), cluster="clu_other"))
    await place.settled("taken")

    with pytest.raises(TargetError) as refusal:
        await place.apply(place.request("taken", CreateCluster()))
    left = await place.clusters.remove(
        place.workspace,
        "taken",
        UnderlyingAction.DELETE,
        mark=mark(),
        lease=FakeLease(),
    )

    assert refusal.value.failure.code is FailureCode.NAME_TAKEN_AT_TARGET
    assert left.phase is ComputePhase.MISSING
    assert place.state("taken") is not None
    assert place.writes("taken", "DELETE") == []


@pytest.mark.parametrize(
    ("before", "after", "sent"),
    [
        (
            CreateCluster(**_OWN_TLS),
            CreateCluster(**_OWN_TLS),
            {"status": "Enabled", "cname": "models.example.com", "cert": "new"},
        ),
        (
            CreateCluster(),
            CreateCluster(leaf_domain_label="models"),
            {"status": "Auto", "leafDomainLabel": "models"},
        ),
        (CreateCluster(**_OWN_TLS), CreateCluster(), {"status": "Disabled"}),
    ],
)
async def test_a_certificate_changes_in_place(
    place: ClusterPlace,
    before: AnyClusterSpec,
    after: AnyClusterSpec,
    sent: dict[str, str],
) -> None:
    place.simulator.world.reset()
    secrets = _PEM if before.ssl_cname else {}
    await place.apply(place.request("secure", before, secrets=secrets))
    await place.settled("secure")

    secrets = {"ssl_cert_pem": "new", "ssl_key_pem": "new"} if after.ssl_cname else {}
    request = place.request("secure", after, secrets=secrets, operation="op_2")
    await place.apply(replace(request, may_replace=False))
    seen = await place.settled("secure")

    _, body = place.writes("secure")
    ssl = body["properties"]["properties"]["sslConfiguration"]
    assert ssl.items() >= sent.items()
    assert seen.spec_fingerprint == request.fingerprint


async def test_what_another_operation_left_failed_is_replaced_once(
    place: ClusterPlace,
) -> None:
    place.simulator.world.reset()
    place.simulator.world.faults.add(
        "cluster-failure", parameters={"message": "no machines"}
    )
    await place.apply(place.request("again", CreateCluster()))
    failed = await place.settled("again")

    same_operation = await place.apply(place.request("again", CreateCluster()))
    retried = place.request("again", CreateCluster(), operation="op_2")
    await place.apply(retried)
    gone = await place.settled("again")
    await place.apply(retried)
    seen = await place.settled("again")

    assert failed.provisioning_errors[0].message == "no machines"
    assert same_operation.phase is ComputePhase.FAILED
    assert gone.phase is ComputePhase.MISSING
    assert seen.phase is ComputePhase.READY
    assert len(place.writes("again")) == 2


@pytest.mark.parametrize("action", UnderlyingAction)
async def test_a_cluster_leaves_as_was_asked(
    place: ClusterPlace, action: UnderlyingAction
) -> None:
    place.simulator.world.reset()
    await place.apply(place.request("leaves", CreateCluster()))
    await place.settled("leaves")

    await place.clusters.remove(
        place.workspace, "leaves", action, mark=mark(), lease=FakeLease()
    )
    gone = await place.settled("leaves")

    (query,) = place.writes("leaves", "DELETE")
    assert f"underlyingResourceAction={action}" in query
    assert gone.phase is ComputePhase.MISSING


async def test_azure_s_refusal_is_told_with_its_code(place: ClusterPlace) -> None:
    place.simulator.world.reset()
    spec = CreateCluster(agent_count=1000, vm_size="Standard_D5_v2")

    with pytest.raises(TargetError) as refusal:
        await place.apply(place.request("huge", spec))

    assert refusal.value.failure.code is FailureCode.QUOTA_EXCEEDED
    assert refusal.value.failure.evidence.azure_code == "QuotaExceeded"


async def test_every_compute_is_listed_whoever_made_it(place: ClusterPlace) -> None:
    place.simulator.world.reset()
    await place.apply(place.request("bbb", CreateCluster()))
    await place.apply(place.request("aaa", CreateCluster(), cluster="clu_other"))

    found = await place.clusters.find_all(place.workspace)

    assert [(one.name, one.cluster) for one in found] == [
        ("aaa", "clu_other"),
        ("bbb", "clu_1"),
    ]


async def test_no_host_but_azure_s_was_asked(place: ClusterPlace) -> None:
    place.simulator.world.reset()

    await place.apply(place.request("quiet", CreateCluster()))

    assert place.simulator.world.journal.unexpected_hosts == {}
    assert place.simulator.world.journal.unknown() == []
