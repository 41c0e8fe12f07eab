"""A new deployment with its first revision and operation, in one round trip.

Accepting a request is what callers do most and wait for: three statements of their
own took a third of its time. They are one here, built once and only given values.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Select, Table, bindparam, exists, insert, select
from sqlalchemy.dialects.postgresql import insert as insert_or_nothing
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.deployment import Deployment, Operation, Revision
from app.storage import codec
from app.storage.tables import DEPLOYMENTS, OPERATIONS, REVISIONS

_DEPLOYMENT = (*Deployment.__dataclass_fields__, "target")
_REVISION = tuple(Revision.__dataclass_fields__)
_OPERATION = tuple(Operation.__dataclass_fields__)


def _parameter(table: Table, name: str) -> str:
    # Short, because psycopg parses statements of over 4,096 characters every time.
    return f"{table.name[0]}_{name}"


def _values(table: Table, names: tuple[str, ...]) -> Select[Any]:
    columns = (table.c[name] for name in names)
    return select(
        *(
            bindparam(_parameter(table, column.name), type_=column.type)
            for column in columns
        )
    )


def _statement() -> Select[Any]:
    deployment = (
        insert_or_nothing(DEPLOYMENTS)
        .from_select(_DEPLOYMENT, _values(DEPLOYMENTS, _DEPLOYMENT))
        .on_conflict_do_nothing()
        .returning(DEPLOYMENTS.c.id)
        .cte("new_deployment")
    )
    is_new = exists(select(deployment.c.id))
    revision = insert(REVISIONS).from_select(
        _REVISION, _values(REVISIONS, _REVISION).where(is_new)
    )
    operation = insert(OPERATIONS).from_select(
        _OPERATION, _values(OPERATIONS, _OPERATION).where(is_new)
    )
    return select(deployment.c.id).add_cte(
        revision.cte("new_revision"), operation.cte("new_operation")
    )


_ACCEPT = _statement()


async def create(
    tx: AsyncConnection,
    deployment: Deployment,
    revision: Revision,
    operation: Operation,
) -> bool:
    """Insert all three; False, and none of them, if name or endpoint is taken.

    A concurrent create of the same name waits for the first one to end.
    """
    parameters = {
        **_named(DEPLOYMENTS, _columns(deployment, Deployment)),
        **_named(REVISIONS, _columns(revision, Revision)),
        **_named(OPERATIONS, _columns(operation, Operation)),
        _parameter(DEPLOYMENTS, "target"): deployment.spec.target.kind,
    }
    return (await tx.execute(_ACCEPT, parameters)).first() is not None


def _columns(record: object, kind: type[Any]) -> dict[str, Any]:
    return codec.to_columns(
        {name: getattr(record, name) for name in kind.__dataclass_fields__}
    )


def _named(table: Table, columns: Mapping[str, Any]) -> dict[str, Any]:
    return {_parameter(table, name): value for name, value in columns.items()}
