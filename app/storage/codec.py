"""JSON columns to the core's dataclasses and back, in one place."""

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import TypeAdapter
from sqlalchemy import Row

from app.core.conditions import Condition
from app.core.deployment import Deployment, Operation, Revision, Traffic
from app.core.failure import Failure
from app.core.specs import DeploymentSpec
from app.core.target import ResolvedModel
from app.core.webhook import Webhook
from app.core.workspace import Limits, Workspace, WorkspaceIdentity

_SPEC = TypeAdapter(DeploymentSpec)
_CONDITIONS = TypeAdapter(tuple[Condition, ...])
_TRAFFIC = TypeAdapter(tuple[Traffic, ...])
_MODEL = TypeAdapter(ResolvedModel | None)
_FAILURE = TypeAdapter(Failure | None)
_IDENTITY: TypeAdapter[WorkspaceIdentity] = TypeAdapter(WorkspaceIdentity)
_LIMITS = TypeAdapter(Limits)

_DEPLOYMENT = TypeAdapter(Deployment)
_REVISION = TypeAdapter(Revision)
_OPERATION = TypeAdapter(Operation)
_WORKSPACE = TypeAdapter(Workspace)
_WEBHOOK = TypeAdapter(Webhook)

_Record = TypeVar("_Record", Deployment, Revision, Operation, Workspace, Webhook)
_OF_RECORD: Mapping[type[Any], TypeAdapter[Any]] = {
    Deployment: _DEPLOYMENT,
    Revision: _REVISION,
    Operation: _OPERATION,
    Workspace: _WORKSPACE,
    Webhook: _WEBHOOK,
}

# Which adapter writes which JSON column; the column's name is the field's.
_JSON_FIELDS: Mapping[str, TypeAdapter[Any]] = {
    "spec": _SPEC,
    "conditions": _CONDITIONS,
    "traffic": _TRAFFIC,
    "model": _MODEL,
    "error": _FAILURE,
    "identity": _IDENTITY,
    "limits": _LIMITS,
}


def to_columns(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return `values` with every typed JSON field as plain JSON."""
    return {
        name: _JSON_FIELDS[name].dump_python(value, mode="json")
        if name in _JSON_FIELDS
        else value
        for name, value in values.items()
    }


def deployment(row: Row[Any]) -> Deployment:
    """Return a deployment's row as its snapshot."""
    return _DEPLOYMENT.validate_python(_pick(row, Deployment))


def revision(row: Row[Any]) -> Revision:
    """Return a revision's row as its snapshot."""
    return _REVISION.validate_python(_pick(row, Revision))


def operation(row: Row[Any]) -> Operation:
    """Return an operation's row as its snapshot."""
    return _OPERATION.validate_python(_pick(row, Operation))


def operation_from(values: Mapping[str, Any]) -> Operation:
    """Return an operation's columns, selected beside others, as its snapshot."""
    return _OPERATION.validate_python(
        {name: values[name] for name in Operation.__dataclass_fields__}
    )


def from_json(values: Mapping[str, Any], kind: type[_Record]) -> _Record:
    """Return a row that the database gave as one JSON object as its snapshot."""
    found: _Record = _OF_RECORD[kind].validate_python(
        {name: values[name] for name in kind.__dataclass_fields__}
    )
    return found


def workspace(row: Row[Any]) -> Workspace:
    """Return a workspace's row as its snapshot."""
    return _WORKSPACE.validate_python(_pick(row, Workspace))


def webhook(row: Row[Any]) -> Webhook:
    """Return a webhook's row as its snapshot, without its secret."""
    return _WEBHOOK.validate_python(_pick(row, Webhook))


def _pick(row: Row[Any], kind: type[Any]) -> dict[str, Any]:
    mapping = row._mapping  # noqa: SLF001  # SQLAlchemy's documented public name
    return {name: mapping[name] for name in kind.__dataclass_fields__}
