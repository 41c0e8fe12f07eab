"""What callers may ask of clusters, and what is refused with which code."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from app.core.aks_options import AksOptions
from app.core.cluster_port import UnderlyingAction
from app.core.cluster_spec import AttachCluster, CreateCluster
from app.core.errors import (
    InUseError,
    InvalidError,
    NameTakenError,
    NotFoundError,
    NotSupportedError,
    OperationInProgressError,
    RequiresRecreateError,
    StateConflictError,
)
from app.core.lifecycle import ClusterState, OperationState
from app.core.secret import Secret
from app.core.specs import ModelSpec
from app.services import changes, workspaces
from app.services.clusters import check
from app.storage import secrets
from tests.building import OPTIONS, PRINCIPAL, spec
from tests.fake_clusters import (
    CHANGE,
    ClusterHouse,
    add_azure_workspace,
    cluster_house,
)

_TLS: dict[str, Any] = {
    "ssl_cname": "models.example.com",
    "ssl_cert_pem": Secret(value="the certificate"),
    "ssl_key_pem": Secret(value="the key"),
}


@pytest.fixture
async def house(database_url: str) -> AsyncIterator[ClusterHouse]:
    async with cluster_house(database_url) as opened:
        yield opened


async def test_the_same_body_again_starts_nothing(house: ClusterHouse) -> None:
    first = await house.put()
    await house.advance(first.operation)

    again = await house.put()

    assert again.is_new is False
    assert again.operation.id == first.operation.id


async def test_two_creations_at_once_end_as_one(house: ClusterHouse) -> None:
    one, other = await asyncio.gather(house.put(), house.put())

    assert one.cluster.id == other.cluster.id
    assert sorted([one.is_new, other.is_new]) == [False, True]


@pytest.mark.parametrize(
    "changed",
    [
        CreateCluster(agent_count=4),
        CreateCluster(vm_size="Standard_D4_v2"),
        CreateCluster(location="westeurope"),
        AttachCluster(mode="attach", resource_group="g", cluster_name="c"),
    ],
)
async def test_what_is_fixed_for_life_is_refused(
    house: ClusterHouse, changed: CreateCluster | AttachCluster
) -> None:
    await house.live()

    with pytest.raises(RequiresRecreateError):
        await house.put(changed)


async def test_a_cluster_that_never_stood_takes_any_other_spec(
    house: ClusterHouse,
) -> None:
    first = await house.put()
    await house.cancel(first.operation)

    again = await house.put(CreateCluster(agent_count=4))

    assert again.is_new
    assert again.cluster.state is ClusterState.PENDING
    assert again.cluster.id == first.cluster.id


async def test_a_change_while_one_runs_is_refused(house: ClusterHouse) -> None:
    await house.put()

    with pytest.raises(OperationInProgressError) as refusal:
        await house.put(CreateCluster(leaf_domain_label="models"))

    assert "operation" in refusal.value.links


async def test_a_waiting_creation_is_canceled_at_once(house: ClusterHouse) -> None:
    accepted = await house.put()

    canceled = await house.cancel(accepted.operation)

    cluster = await house.cluster(accepted)
    assert canceled.state is OperationState.CANCELED
    assert cluster.state is ClusterState.CANCELED
    assert await house.story(cluster) == ["accepted", "canceled"]


async def test_secrets_are_put_away_before_anything_is_stored(
    house: ClusterHouse,
) -> None:
    accepted = await house.put(CreateCluster(**_TLS))
    again = await house.put(CreateCluster(**_TLS))
    await house.advance(accepted.operation)

    stored = accepted.cluster.spec
    (request,) = house.clusters.puts
    assert stored.ssl_key_pem is not None
    assert stored.ssl_key_pem.value is None
    assert stored.ssl_key_pem.kept is not None
    assert again.is_new is False
    assert request.secrets == {
        "ssl_cert_pem": "the certificate",
        "ssl_key_pem": "the key",
    }
    assert await _rows_with(house, "the key") == 0


async def test_a_deleted_cluster_leaves_no_secret(house: ClusterHouse) -> None:
    cluster = await house.live(CreateCluster(**_TLS))
    accepted = await house.delete()
    await house.advance(accepted.operation)

    key = cluster.spec.ssl_key_pem
    assert key is not None
    assert key.kept is not None
    async with house.context.database.reading() as connection:
        assert await secrets.tokens(connection, [key.kept]) == {}


async def test_a_cluster_with_live_deployments_stays(house: ClusterHouse) -> None:
    await house.live()
    options = AksOptions(kind="aks", compute_target_name="AKS-1")
    wanted = replace(spec(), model=ModelSpec(uri="models:/m/1"), target=options)
    async with house.context.database.transaction() as tx:
        made = await changes.create(
            house.context, tx, house.workspace, "diabetes", spec=wanted, options=OPTIONS
        )

    with pytest.raises(InUseError) as refusal:
        await house.delete()

    assert list(refusal.value.links) == [made.deployment.id]


async def test_another_project_s_compute_is_not_taken_over(
    house: ClusterHouse,
) -> None:
    await house.live()
    stranger = replace(PRINCIPAL, project="other")

    with pytest.raises(NameTakenError):
        await house.put(change=replace(CHANGE, principal=stranger))


async def test_two_names_of_one_workspace_share_its_computes(
    house: ClusterHouse,
) -> None:
    await house.live()
    other = await add_azure_workspace(house.context, "azure-too")

    with pytest.raises(NameTakenError):
        await replace(house, workspace=other).put()


async def test_an_attached_cluster_is_only_detached(house: ClusterHouse) -> None:
    await house.live(AttachCluster(mode="attach", resource_group="g", cluster_name="c"))

    with pytest.raises(NotSupportedError):
        await house.delete(underlying=UnderlyingAction.DELETE)


async def test_a_removal_asked_twice_is_one(house: ClusterHouse) -> None:
    await house.live()

    first = await house.delete()
    again = await house.delete()

    assert again.is_new is False
    assert again.operation.id == first.operation.id


async def test_a_cluster_that_is_being_deleted_takes_no_change(
    house: ClusterHouse,
) -> None:
    await house.live()
    await house.delete()

    with pytest.raises(StateConflictError):
        await house.put()


async def test_the_name_is_free_once_azure_confirms(house: ClusterHouse) -> None:
    first = await house.live()
    removal = await house.delete()
    await house.advance(removal.operation)

    again = await house.put(CreateCluster(agent_count=4))

    assert again.cluster.id != first.id
    with pytest.raises(NotFoundError):
        await house.delete(name="aks-2")


async def test_a_workspace_with_clusters_is_not_removed(house: ClusterHouse) -> None:
    await house.live()

    with pytest.raises(InUseError, match="Clusters"):
        async with house.context.database.transaction() as tx:
            await workspaces.remove(house.context, tx, house.workspace.name)


async def test_a_plain_mlflow_workspace_has_no_clusters(house: ClusterHouse) -> None:
    plain = replace(house, workspace=house.building.workspace)

    with pytest.raises(NotSupportedError):
        await plain.put()


@pytest.mark.parametrize("name", ["local", "Local", "amlcompute", "containerinstance"])
def test_names_that_azure_keeps_are_refused(name: str) -> None:
    with pytest.raises(InvalidError):
        check(name, CreateCluster())


@pytest.mark.parametrize("field", ["ssl_cert_pem", "ssl_key_pem"])
@pytest.mark.parametrize("value", ["env:AZURE_CLIENT_SECRET", "file:/etc/passwd"])
def test_no_secret_is_a_reference_of_the_caller_s(field: str, value: str) -> None:
    with pytest.raises(InvalidError) as refusal:
        check("aks-1", CreateCluster(**{**_TLS, field: Secret(value=value)}))

    assert f"/{field}/value" in {one.pointer for one in refusal.value.fields}


async def _rows_with(house: ClusterHouse, text: str) -> int:
    """How many rows of records that are shown hold the text."""
    url = house.context.database.url
    async with await psycopg.AsyncConnection.connect(url) as connection:
        found = await connection.execute(
            """
            SELECT count(*) FROM (
                SELECT clusters::text AS row FROM clusters
                UNION ALL SELECT operations::text FROM operations
                UNION ALL SELECT events::text FROM events
            ) AS rows WHERE row LIKE %s
            """,
            (f"%{text}%",),
        )
        row = await found.fetchone()
    assert row is not None
    return int(row[0])
