"""The port to everything that can serve a model, and to the store it comes from.

A new target implements `Target` and those of the small abilities that it has; the
runner asks `isinstance` for an ability and answers `not_supported` where it lacks.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import ClassVar, Literal, Protocol, runtime_checkable

from typing_extensions import TypeAliasType

from app.core.failure import Failure
from app.core.lease import Lease
from app.core.model_uri import ModelUri
from app.core.specs import AnyTargetOptions
from app.core.workspace import Workspace

# A named alias: a plain one could not refer to itself where types are read at run time.
JsonValue = TypeAliasType(
    "JsonValue",
    "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None",
)

# What a target needs to find its revision again: JSON of its own making, stored as
# it is and handed back unread.
Handle = dict[str, JsonValue]


def azure_name(handle: Handle) -> str | None:
    """Return what the thing behind `handle` is called at Azure; None elsewhere."""
    name = handle.get("azure_name")
    return name if isinstance(name, str) else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Mark:
    """Who made a thing at a target; compared before anything of ours is touched."""

    installation: str
    deployment: str
    revision: int
    operation: str
    epoch: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ResolvedModel:
    """One immutable registered version: `uri` is `models:/<name>/<version>`."""

    name: str
    version: str
    uri: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelFacts:
    """What a version's own files say; nothing of it was executed to learn it.

    `example` is the JSON body that the model's author recorded for scoring, if any;
    `conda_yaml` the text of the conda environment that the model names, if it is there.
    """

    flavors: tuple[str, ...]
    python_version: str | None
    mlflow_version: str | None
    has_signature: bool
    example: str | None
    size_bytes: int | None
    conda_yaml: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ResolveRequest:
    """A URI to pin, and under which name a run's model is to be registered."""

    workspace: Workspace
    uri: ModelUri
    register_as: str
    tags: Mapping[str, str]
    mark: Mark


class ModelStore(Protocol):
    """An MLflow tracking server and registry, seen from outside of its process."""

    async def find(self, workspace: Workspace, uri: ModelUri) -> ResolvedModel | None:
        """Return the version that `uri` names now; None if it needs registering.

        Changes nothing. Raises TargetError (`model_not_found`) if it names nothing.
        """
        ...

    async def resolve(self, request: ResolveRequest, lease: Lease) -> ResolvedModel:
        """Return the version for the request, registering a run's model once.

        However often it is called, by whichever worker, one version is in use: the
        lowest that was made of that very model under that name.
        """
        ...

    async def inspect(self, workspace: Workspace, model: ResolvedModel) -> ModelFacts:
        """Return what the version's files say, without loading the model."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class ApplyRequest:
    """One revision to bring up beside whatever serves now.

    `endpoint` is the deployment's endpoint key, the one that `shift` is given.
    `slot` names it at the target and stays the same for revisions that differ only
    in fields with the effect in_place. `handle` is what an earlier try recorded, or
    what adopting the deployment did.
    `properties` are told to the target once and stay. `secrets` holds, by the name of
    the option, what its secrets stand for just now.
    """

    workspace: Workspace
    deployment_name: str
    endpoint: str
    slot: str
    mark: Mark
    options: AnyTargetOptions
    model: ResolvedModel
    tags: Mapping[str, str]
    properties: Mapping[str, str]
    description: str
    handle: Handle | None
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)


class ObservedPhase(StrEnum):
    """What one look at a revision can find."""

    MISSING = "missing"
    STARTING = "starting"
    READY = "ready"
    UNREACHABLE = "unreachable"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True, slots=True)
class Observation:
    """One look at a revision: our phase beside the target's own word for it."""

    phase: ObservedPhase
    raw_state: str
    message: str = ""
    progress: str | None = None
    retry_after_seconds: float | None = None
    scoring_uri: str | None = None
    swagger_uri: str | None = None
    failure: Failure | None = None


class Target(Protocol):
    """A place that can serve a model."""

    kind: ClassVar[str]

    async def apply(self, request: ApplyRequest, lease: Lease) -> Handle:
        """Start to bring the revision up and return its handle at once.

        Idempotent by `slot`: a second call finds what the first one made. Raises
        TargetError, transient or permanent.
        """
        ...

    async def observe(self, handle: Handle) -> Observation:
        """Look at the revision; never changes anything."""
        ...

    async def delete(self, handle: Handle, lease: Lease) -> None:
        """Remove the revision and all that it alone used; missing is success."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Exposure:
    """Where callers reach what serves now."""

    scoring_uri: str
    swagger_uri: str | None


@runtime_checkable
class SupportsTraffic(Protocol):
    """A target with one address per endpoint, over revisions that come and go."""

    async def shift(
        self, endpoint: str, handle: Handle, *, previous: str | None
    ) -> Exposure:
        """Send all of the endpoint's traffic to `handle`, idempotently.

        `previous` is the scoring URI of before, which the target keeps if it can.
        """
        ...

    async def close(self, endpoint: str) -> None:
        """Stop answering at the endpoint's address; missing is success."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Invocation:
    """A scoring request for one revision, whether it has traffic or not.

    `authorization` is the header that its endpoint asks for; never logged.
    """

    body: bytes
    content_type: str = "application/json"
    timeout_seconds: float = 60.0
    authorization: str | None = field(default=None, repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class InvocationResult:
    """What the model answered: at most `body` of 1 MiB is kept."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


@runtime_checkable
class SupportsInvoke(Protocol):
    """A target that can score one revision directly."""

    async def invoke(self, handle: Handle, call: Invocation) -> InvocationResult:
        """Score once. Raises TargetError if nobody answers."""
        ...


@runtime_checkable
class SupportsLogs(Protocol):
    """A target that keeps what its revisions print."""

    log_sources: ClassVar[tuple[str, ...]]

    async def logs(self, handle: Handle, *, source: str, tail: int) -> list[str]:
        """Return the last `tail` lines, oldest first; empty if there are none."""
        ...


@runtime_checkable
class ChangesInPlace(Protocol):
    """A target where all revisions of a deployment are one thing, changed in place.

    Its handles are equal for all of them. A revision is taken away by applying the one
    before it, and deleted only with the deployment.
    """

    changes_in_place: ClassVar[Literal[True]]


class KeyName(StrEnum):
    """Which of an endpoint's two keys."""

    PRIMARY = "primary"
    SECONDARY = "secondary"


@dataclass(frozen=True, kw_only=True, slots=True, repr=False)
class ScoringKeys:
    """The two keys of an endpoint, either of which is good."""

    primary: str
    secondary: str


@dataclass(frozen=True, kw_only=True, slots=True, repr=False)
class ScoringToken:
    """A token for scoring, and when it ends and is best replaced."""

    value: str
    expires_at: datetime
    refresh_after: datetime | None


@runtime_checkable
class SupportsKeys(Protocol):
    """A target whose endpoints ask their callers for a key or a token."""

    async def keys(self, handle: Handle) -> ScoringKeys:
        """Return both keys. Raises TargetError: `auth_disabled` if there are none."""
        ...

    async def regenerate_key(self, handle: Handle, name: KeyName, lease: Lease) -> None:
        """Replace one key by one that Azure makes. Raises TargetError."""
        ...

    async def scoring_token(self, handle: Handle) -> ScoringToken:
        """Return a token. Raises TargetError: `auth_disabled` if there are none."""
        ...
