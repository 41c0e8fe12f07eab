"""Which things can go wrong with a service, by name, and whom they strike."""

from collections.abc import Mapping
from dataclasses import dataclass

from app.simulator.faults import Fault, FaultKind, Faults

_WHERE = ("service", "workspace", "compute_type")

KINDS = (
    FaultKind(
        name="image-build-failure",
        about="The image cannot be built: `EnvironmentBuildFailed`, service `Failed`.",
        where=_WHERE,
    ),
    FaultKind(
        name="crash-loop",
        about="The container crashes while it starts: `CrashLoopBackOff`, `Failed`.",
        where=_WHERE,
    ),
    FaultKind(
        name="unschedulable",
        about="No room in the cluster; after 5 minutes `Unschedulable`.",
        where=_WHERE,
    ),
    FaultKind(
        name="quota",
        about="The quota of the region is used up: `ContainerGroupQuotaReached`.",
        where=_WHERE,
    ),
    FaultKind(
        name="out-of-capacity",
        about="The region has no machine left just now: `OutOfCapacity`.",
        where=_WHERE,
    ),
    FaultKind(
        name="internal-error",
        about="The deployment ends in `InternalServerError`, service `Failed`.",
        where=_WHERE,
    ),
    FaultKind(
        name="transitioning-long",
        about="The service stays `Transitioning` for long, then goes on as planned.",
        where=_WHERE,
        parameters={"seconds": "simulated seconds more; 7200 by default"},
    ),
    FaultKind(
        name="unhealthy",
        about="The endpoint never answers: operation `Failed`, service `Unhealthy`.",
        where=_WHERE,
    ),
    FaultKind(
        name="unhealthy-later",
        about="The service gets `Healthy` and turns `Unhealthy` afterwards.",
        where=_WHERE,
        parameters={"seconds": "simulated seconds after the success; 60 by default"},
    ),
    FaultKind(
        name="timed-out",
        about="Operation `TimedOut` with `DeploymentTimedOut`, service `Unhealthy`.",
        where=_WHERE,
    ),
    FaultKind(
        name="cancelled",
        about="Operation `Cancelled`, service `Failed`.",
        where=_WHERE,
    ),
    FaultKind(
        name="forbidden-as-transitioning",
        about="403 from Container Instances; the service stays `Transitioning`.",
        where=_WHERE,
    ),
    FaultKind(
        name="inaccessible-image",
        about="The registry's admin user is off; the service stays `Transitioning`.",
        where=_WHERE,
    ),
    FaultKind(
        name="delete-failure",
        about="Deleting the service fails; it stays.",
        where=_WHERE,
    ),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """What a failure is about, for its texts."""

    name: str
    workspace: str
    is_aks: bool
    region: str
    resource_group_id: str
    image: str
    cpu: float
    memory_gb: float


def take(
    faults: Faults, name: str, subject: Subject, tags: Mapping[str, str]
) -> Fault | None:
    """Return the fault `name` if it strikes this service, and count it."""
    return faults.take(
        name,
        tags=tags,
        service=subject.name,
        workspace=subject.workspace,
        compute_type="AKS" if subject.is_aks else "ACI",
    )
