"""How a change of a cluster will go: how long it takes and how it ends."""

from collections.abc import Callable
from dataclasses import dataclass

from app.simulator.faults import Fault, FaultKind

KINDS = (
    FaultKind(
        name="cluster-failure",
        about="Creating or attaching a cluster ends `Failed`; the cluster stays.",
        where=("cluster", "workspace"),
        parameters={
            "code": "Azure's code; `AksOperationFailed` by default",
            "message": "the provisioning error's text",
        },
    ),
    FaultKind(
        name="cluster-canceled",
        about="Creating or attaching a cluster ends `Canceled`.",
        where=("cluster", "workspace"),
    ),
    FaultKind(
        name="cluster-slow",
        about="Creating or attaching a cluster takes longer.",
        where=("cluster", "workspace"),
        parameters={"seconds": "simulated seconds; 7200 by default"},
    ),
    FaultKind(
        name="cluster-delete-failure",
        about="Deleting or detaching a cluster ends `Failed`; the cluster stays.",
        where=("cluster", "workspace"),
        parameters={"message": "the error's text"},
    ),
)

# Takes the fault of this name if it strikes the cluster.
Strike = Callable[[str], Fault | None]


@dataclass(frozen=True, kw_only=True, slots=True)
class ClusterPlan:
    """The seconds until the end, and the end: Succeeded, Failed or Canceled."""

    seconds: float
    outcome: str = "Succeeded"
    error: dict[str, object] | None = None


def provisioning(strike: Strike, seconds: float) -> ClusterPlan:
    """Return how creating, attaching or updating a cluster will go."""
    if slow := strike("cluster-slow"):
        seconds = slow.number("seconds", 7200)
    if strike("cluster-canceled"):
        return ClusterPlan(seconds=seconds, outcome="Canceled")
    if failed := strike("cluster-failure"):
        error = _error(failed, "Creating the agent pool failed: no virtual machines.")
        return ClusterPlan(seconds=seconds, outcome="Failed", error=error)
    return ClusterPlan(seconds=seconds)


def removing(strike: Strike, seconds: float) -> ClusterPlan:
    """Return how deleting or detaching a cluster will go."""
    if failed := strike("cluster-delete-failure"):
        error = _error(failed, "Deleting the managed cluster failed.")
        return ClusterPlan(seconds=seconds, outcome="Failed", error=error)
    return ClusterPlan(seconds=seconds)


def _error(fault: Fault, otherwise: str) -> dict[str, object]:
    return {
        "code": fault.text("code", "AksOperationFailed"),
        "message": fault.text("message", otherwise),
        "details": [],
    }
