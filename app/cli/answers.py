"""What the client verbs read of an answer; a newer service may say more."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

_ENDED = frozenset({"succeeded", "failed", "canceled"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence:
    """What supports a failure."""

    azure_code: str | None = None
    correlation_ids: tuple[str, ...] = ()
    log_tail: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """Why an operation did not succeed, and what mends it."""

    code: str
    message: str
    cause: str | None = None
    remedy: str = ""
    blame: str = ""
    evidence: Evidence = field(default_factory=Evidence)


@dataclass(frozen=True, kw_only=True, slots=True)
class Operation:
    """One change: `has_ended` for ever once its state is one of the last three."""

    id: str
    kind: str
    state: str
    phase: str | None = None
    revision: int | None = None
    error: Failure | None = None

    @property
    def has_ended(self) -> bool:
        """Whether it never changes again."""
        return self.state in _ENDED


@dataclass(frozen=True, kw_only=True, slots=True)
class Model:
    """The registered version that a deployment is pinned to."""

    uri: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Condition:
    """One observed fact."""

    type: str
    status: str
    reason: str
    message: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Deployment:
    """A deployment, as far as the verbs show it."""

    id: str
    name: str
    workspace: str
    state: str
    spec: Mapping[str, Any]
    serving: bool | None
    wanted_revision: int
    serving_revision: int | None
    scoring_uri: str | None
    model: Model | None
    conditions: tuple[Condition, ...]
    latest_operation: Operation
    updated_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class ProvisioningError:
    """One of Azure's reasons why a cluster is not as it was asked for."""

    code: str
    message: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Cluster:
    """A cluster, as far as the verbs show it."""

    id: str
    name: str
    workspace: str
    state: str
    spec: Mapping[str, Any]
    provisioning_state: str | None
    provisioning_errors: tuple[ProvisioningError, ...]
    resource_id: str | None
    latest_operation: Operation


@dataclass(frozen=True, kw_only=True, slots=True)
class EventData:
    """Whom an event is about, as it then stood; `detail` is one line for people."""

    deployment: Deployment | None = None
    operation: Operation | None = None
    detail: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """Something that happened, numbered per deployment."""

    id: str
    type: str
    timestamp: datetime
    sequence: int
    data: EventData


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """One page of a list."""

    items: tuple[dict[str, Any], ...]
    next_cursor: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """How one check of a workspace ended."""

    name: str
    status: str
    detail: str
    remedy: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Checks:
    """All checks of a workspace; `ok` unless one failed."""

    workspace: str
    ok: bool
    checks: tuple[Check, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class WrongField:
    """One field that the service refused."""

    pointer: str = ""
    detail: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """A refusal (RFC 9457); everything may be missing, as a proxy may have sent it."""

    title: str = ""
    detail: str = ""
    code: str = ""
    remedy: str = ""
    request_id: str | None = None
    errors: tuple[WrongField, ...] = ()
    links: Mapping[str, str] = field(default_factory=dict)
