"""Every state of deployments, clusters and operations, and every allowed move.

Nothing else decides whether a move is legal: the storage layer asks `check_move`
before it writes a state, and the OpenAPI document publishes these tables.
"""

from collections.abc import Mapping
from enum import StrEnum

from app.core.errors import AppError


class DeploymentState(StrEnum):
    """Whether something serves under a deployment's name."""

    PENDING = "pending"
    DEPLOYING = "deploying"
    LIVE = "live"
    UPDATING = "updating"
    FAILED = "failed"
    CANCELED = "canceled"
    DELETING = "deleting"
    DELETED = "deleted"


class OperationState(StrEnum):
    """Where one change stands; the last three never change again."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"

    @property
    def is_terminal(self) -> bool:
        """Whether the operation has ended for ever."""
        return self in {self.SUCCEEDED, self.FAILED, self.CANCELED}


class OperationKind(StrEnum):
    """What an operation changes."""

    DEPLOY = "deploy"
    UPDATE = "update"
    ROLLBACK = "rollback"
    DELETE = "delete"
    REGENERATE = "regenerate"
    ADOPT = "adopt"
    CLUSTER_CREATE = "cluster_create"
    CLUSTER_ATTACH = "cluster_attach"
    CLUSTER_UPDATE = "cluster_update"
    CLUSTER_DELETE = "cluster_delete"
    CLUSTER_DETACH = "cluster_detach"

    @property
    def is_removal(self) -> bool:
        """Whether it takes its subject away, and goes before whatever else waits."""
        return self in {self.DELETE, self.CLUSTER_DELETE, self.CLUSTER_DETACH}


class ClusterState(StrEnum):
    """Whether a cluster can be deployed to."""

    PENDING = "pending"
    CREATING = "creating"
    LIVE = "live"
    UPDATING = "updating"
    FAILED = "failed"
    CANCELED = "canceled"
    DELETING = "deleting"
    DELETED = "deleted"


class Phase(StrEnum):
    """The steps of an operation, in the order in which they run."""

    RESOLVE = "resolve"
    PREFLIGHT = "preflight"
    PROVISION = "provision"
    DEPLOY = "deploy"
    VERIFY = "verify"
    SHIFT = "shift"
    CLEANUP = "cleanup"


_D = DeploymentState
_C = ClusterState
_O = OperationState

DEPLOYMENT_MOVES: Mapping[DeploymentState, frozenset[DeploymentState]] = {
    # Accepted, its first operation waits for a worker or for a slot.
    _D.PENDING: frozenset({_D.DEPLOYING, _D.FAILED, _D.CANCELED, _D.DELETING}),
    _D.DEPLOYING: frozenset({_D.LIVE, _D.FAILED, _D.CANCELED, _D.DELETING}),
    _D.LIVE: frozenset({_D.UPDATING, _D.DELETING}),
    # A change that failed or was canceled ends in live, on the old revision.
    _D.UPDATING: frozenset({_D.LIVE, _D.FAILED, _D.DELETING}),
    # Live again without an operation: a late success at the target.
    _D.FAILED: frozenset({_D.PENDING, _D.LIVE, _D.DELETING}),
    _D.CANCELED: frozenset({_D.PENDING, _D.DELETING}),
    _D.DELETING: frozenset({_D.DELETED, _D.FAILED}),
    _D.DELETED: frozenset(),
}

CLUSTER_MOVES: Mapping[ClusterState, frozenset[ClusterState]] = {
    _C.PENDING: frozenset({_C.CREATING, _C.FAILED, _C.CANCELED, _C.DELETING}),
    # Created or attached: Azure calls both so.
    _C.CREATING: frozenset({_C.LIVE, _C.FAILED, _C.CANCELED, _C.DELETING}),
    _C.LIVE: frozenset({_C.UPDATING, _C.DELETING}),
    # A change that failed or was canceled ends in live: the cluster stands.
    _C.UPDATING: frozenset({_C.LIVE, _C.DELETING}),
    _C.FAILED: frozenset({_C.PENDING, _C.DELETING}),
    _C.CANCELED: frozenset({_C.PENDING, _C.DELETING}),
    _C.DELETING: frozenset({_C.DELETED, _C.FAILED}),
    _C.DELETED: frozenset(),
}

OPERATION_MOVES: Mapping[OperationState, frozenset[OperationState]] = {
    _O.QUEUED: frozenset({_O.RUNNING, _O.FAILED, _O.CANCELED}),
    _O.RUNNING: frozenset({_O.SUCCEEDED, _O.FAILED, _O.CANCELED}),
    _O.SUCCEEDED: frozenset(),
    _O.FAILED: frozenset(),
    _O.CANCELED: frozenset(),
}

PHASE_ORDER: tuple[Phase, ...] = tuple(Phase)


class IllegalMoveError(AppError):
    """A bug: somebody asked for a move that the tables do not have."""

    code = "illegal_move"
    title = "A state move that the lifecycle does not allow"


def check_deployment_move(old: DeploymentState, new: DeploymentState) -> None:
    """Raise IllegalMoveError unless `old` may become `new`; staying is allowed."""
    if old != new and new not in DEPLOYMENT_MOVES[old]:
        raise IllegalMoveError(f"a deployment cannot go from {old} to {new}")


def check_cluster_move(old: ClusterState, new: ClusterState) -> None:
    """Raise IllegalMoveError unless `old` may become `new`; staying is allowed."""
    if old != new and new not in CLUSTER_MOVES[old]:
        raise IllegalMoveError(f"a cluster cannot go from {old} to {new}")


def check_operation_move(old: OperationState, new: OperationState) -> None:
    """Raise IllegalMoveError unless `old` may become `new`; staying is allowed."""
    if old != new and new not in OPERATION_MOVES[old]:
        raise IllegalMoveError(f"an operation cannot go from {old} to {new}")
