"""What an Azure ML workspace looks like to those who may only look at it."""

from dataclasses import dataclass
from enum import StrEnum


class CheckName(StrEnum):
    """What is checked of a workspace, in the order in which it is told."""

    SIGN_IN = "sign_in"
    WORKSPACE = "workspace"
    MLFLOW = "mlflow"
    PERMISSIONS = "permissions"
    CONTAINER_REGISTRY = "container_registry"
    QUOTA = "quota"
    CLUSTERS = "clusters"


class CheckStatus(StrEnum):
    """How a check ended; a skipped one needed what another one did not find."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckResult:
    """One read-only check: what was seen, and what mends it where that is wanted."""

    name: CheckName
    status: CheckStatus
    detail: str
    remedy: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class QuotaUsage:
    """One quota of the workspace's region: `limit` None where Azure names none.

    `name` is Azure's own for it, `family` the words that its portal shows.
    """

    name: str
    family: str
    used: int
    limit: int | None
    unit: str


class ServiceKind(StrEnum):
    """What kind of thing serves at Azure, whoever made it."""

    ACI = "aci"
    AKS = "aks"
    MANAGED = "managed"
    KUBERNETES = "kubernetes"
    UNKNOWN = "unknown"


class ManagedBy(StrEnum):
    """Whose a service is: this installation's by its mark, or not."""

    SLIPWAY = "slipway"
    OTHER = "other"


@dataclass(frozen=True, kw_only=True, slots=True)
class AzureService:
    """A v1 web service or a v2 endpoint as Azure tells of it.

    `deployment` is the id that our mark names, whether the service is still there for
    it or not. `problem` says why the rest could not be read, if it could not.
    """

    kind: ServiceKind
    name: str
    state: str | None
    managed_by: ManagedBy
    deployment: str | None = None
    scoring_uri: str | None = None
    problem: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class AzureServices:
    """All that serves in a workspace; `problems` tells what could not be listed."""

    items: tuple[AzureService, ...]
    problems: tuple[str, ...] = ()
