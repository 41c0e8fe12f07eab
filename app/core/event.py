"""What can happen, one class an event, and the envelope in which it is told.

A new event is a new class here: the log, streams, webhooks, `/v1/event-types` and
the OpenAPI document read the registry below.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar


@dataclass(frozen=True, kw_only=True, slots=True)
class EventType:
    """The root of all events; `detail` is one line for people."""

    name: ClassVar[str] = ""
    subject: ClassVar[str] = "deployment"
    ends_operation: ClassVar[bool] = False

    detail: str | None = None


class DeploymentAccepted(EventType):
    """A change was accepted and stored; a worker will take it up."""

    name = "deployment.accepted"


class DeploymentStarted(EventType):
    """A worker took the operation up, for the first time or after a crash."""

    name = "deployment.started"


class DeploymentPhaseChanged(EventType):
    """The operation entered the phase named in `data.operation.phase`."""

    name = "deployment.phase_changed"


class DeploymentProgress(EventType):
    """Something moved within a phase; `data.detail` says what."""

    name = "deployment.progress"


class DeploymentLive(EventType):
    """A first revision serves, or one serves again after none did."""

    name = "deployment.live"
    ends_operation = True


class DeploymentUpdated(EventType):
    """A change of a live deployment succeeded."""

    name = "deployment.updated"
    ends_operation = True


class DeploymentFailed(EventType):
    """The operation failed; `data.operation.error` says why and what mends it."""

    name = "deployment.failed"
    ends_operation = True


class DeploymentCanceled(EventType):
    """The operation was canceled or superseded, and what it had made is gone."""

    name = "deployment.canceled"
    ends_operation = True


class DeploymentRolledBack(EventType):
    """An earlier revision was asked for and serves again."""

    name = "deployment.rolled_back"
    ends_operation = True


class DeploymentTrafficChanged(EventType):
    """Callers now reach the revisions named in `data.deployment.traffic`."""

    name = "deployment.traffic_changed"


class DeploymentUnreachable(EventType):
    """What served stopped answering; Slipway tries to bring it back."""

    name = "deployment.unreachable"


class DeploymentRecovered(EventType):
    """What had stopped answering serves again."""

    name = "deployment.recovered"


class DeploymentDeleting(EventType):
    """A delete was accepted; whatever else ran is being canceled."""

    name = "deployment.deleting"


class DeploymentDeleted(EventType):
    """The target confirmed that it is gone; the name is free."""

    name = "deployment.deleted"
    ends_operation = True


class ClusterAccepted(EventType):
    """A cluster, or a change of one, was accepted; a worker will take it up."""

    name = "cluster.accepted"
    subject = "cluster"


class ClusterStarted(EventType):
    """A worker took the operation up, for the first time or after a crash."""

    name = "cluster.started"
    subject = "cluster"


class ClusterProgress(EventType):
    """Azure went on; `data.detail` says with what."""

    name = "cluster.progress"
    subject = "cluster"


class ClusterLive(EventType):
    """The cluster was created or attached, and can be deployed to."""

    name = "cluster.live"
    subject = "cluster"
    ends_operation = True


class ClusterUpdated(EventType):
    """A change of a live cluster succeeded."""

    name = "cluster.updated"
    subject = "cluster"
    ends_operation = True


class ClusterFailed(EventType):
    """The operation failed; `data.operation.error` says why and what mends it."""

    name = "cluster.failed"
    subject = "cluster"
    ends_operation = True


class ClusterCanceled(EventType):
    """The operation was canceled, and what it had made is gone."""

    name = "cluster.canceled"
    subject = "cluster"
    ends_operation = True


class ClusterDeleting(EventType):
    """A delete or a detach was accepted; whatever else ran is being canceled."""

    name = "cluster.deleting"
    subject = "cluster"


class ClusterDeleted(EventType):
    """Azure confirmed that the workspace has it no more; the name is free."""

    name = "cluster.deleted"
    subject = "cluster"
    ends_operation = True


class WebhookDisabled(EventType):
    """A webhook was switched off; the reason stands in `data.webhook`."""

    name = "webhook.disabled"
    subject = "webhook"


class Ping(EventType):
    """A test delivery that somebody asked for."""

    name = "ping"
    subject = "webhook"


EVENT_TYPES: Mapping[str, type[EventType]] = {
    kind.name: kind for kind in EventType.__subclasses__()
}

# What the engine of deliveries and lists call "all": every type that is published.
ALL_EVENT_NAMES: tuple[str, ...] = tuple(EVENT_TYPES)


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """One thing that happened: numbered without gaps per deployment, never changed.

    `data` holds what the envelope shows: the deployment (or webhook) as it stood,
    its operation, and the detail line.
    """

    id: str
    type: str
    timestamp: datetime
    sequence: int
    data: Mapping[str, Any]
