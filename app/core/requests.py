"""What callers send, field by field."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

import annotated_types as at

from app.core.option import Flag, Integer, Option, ToldApartBy
from app.core.specs import (
    DeploymentName,
    DeploymentSpec,
    ModelSpec,
    RolloutSpec,
    Tags,
    TargetOptions,
    Text,
    VerifySpec,
    WorkspaceName,
)
from app.core.workspace import AzureMlWorkspace, Limits

# The largest is what the database's integer holds.
RevisionNumber = Annotated[Integer, at.Ge(1), at.Le(2**31 - 1)]
EventPatterns = Annotated[
    tuple[Annotated[str, at.MaxLen(128)], ...], at.MinLen(1), at.MaxLen(32)
]
Url = Annotated[str, at.MinLen(1), at.MaxLen(2048)]


@dataclass(frozen=True, kw_only=True, slots=True)
class WebhookReference:
    """A registered webhook, by id: it hears of this deployment."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    id: Annotated[str, at.MinLen(1), at.MaxLen(64)]


@dataclass(frozen=True, kw_only=True, slots=True)
class OneOffWebhook:
    """A URL of the caller's own that follows this deployment alone."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    url: Annotated[Url, Option("https, or http where the operator allows it.")]
    events: Annotated[
        EventPatterns, Option("Types, a prefix as in `deployment.*`, or `*`.")
    ] = ("deployment.*",)
    secret: Annotated[
        Annotated[str, at.MaxLen(128)],
        Option("`whsec_` and base64 of 24 to 64 bytes; write-only."),
    ]


@dataclass(frozen=True, kw_only=True, slots=True)
class PutDeployment:
    """The body of PUT: the whole spec, and how this change is to be made."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    model: ModelSpec
    target: TargetOptions
    description: Text = ""
    tags: Tags = field(default_factory=dict)
    properties: Tags = field(default_factory=dict)
    verify: VerifySpec = field(default_factory=VerifySpec)
    rollout: RolloutSpec = field(default_factory=RolloutSpec)
    name: Annotated[DeploymentName | None, Option("As in the path, if given.")] = None
    workspace: Annotated[WorkspaceName | None, Option("As in the path, if given.")] = (
        None
    )
    webhook: WebhookReference | OneOffWebhook | None = None
    deadline_seconds: Annotated[
        Annotated[Integer, at.Ge(30), at.Le(86400)],
        Option("The operation fails if it takes longer."),
    ] = 3600
    expected_revision: Annotated[
        RevisionNumber | None,
        Option("409 `revision_conflict` unless this revision stands."),
    ] = None
    allow_recreate: Annotated[
        Flag, Option("Allow changes that interrupt the service.")
    ] = False

    def spec(self) -> DeploymentSpec:
        """Return the part that a revision is made of."""
        return DeploymentSpec(
            model=self.model,
            target=self.target,
            description=self.description,
            tags=self.tags,
            properties=self.properties,
            verify=self.verify,
            rollout=self.rollout,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class PostDeployment(PutDeployment):
    """The body of POST: as of PUT, with the name and the workspace."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    name: DeploymentName
    workspace: WorkspaceName


@dataclass(frozen=True, kw_only=True, slots=True)
class RollbackRequest:
    """The body of a rollback."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    revision: RevisionNumber


_Projects = Annotated[
    Annotated[tuple[Annotated[str, at.MaxLen(64)], ...], at.MaxLen(100)] | None,
    Option("Projects that may deploy here; default: all."),
]
_Limits = Annotated[Limits, Option("How much at once.")]


@dataclass(frozen=True, kw_only=True, slots=True)
class PutMlflowWorkspace:
    """A workspace over an MLflow store: where it is, and who may use it."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    kind: Literal["mlflow"]
    tracking_uri: Annotated[
        Url, Option("http(s), or a store inside the operator's LOCAL_STORES.")
    ]
    registry_uri: Annotated[Url | None, Option("Default: the tracking URI.")] = None
    projects: _Projects = None
    limits: _Limits = field(default_factory=Limits)


@dataclass(frozen=True, kw_only=True, slots=True)
class PutAzureMlWorkspace(AzureMlWorkspace):
    """A workspace of Azure Machine Learning: which one, and who may use it."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    projects: _Projects = None
    limits: _Limits = field(default_factory=Limits)


# The body of a workspace's PUT.
PutWorkspace = Annotated[PutMlflowWorkspace | PutAzureMlWorkspace, ToldApartBy("kind")]


@dataclass(frozen=True, kw_only=True, slots=True)
class AdoptServices:
    """The body that adopts web services which stand at Azure."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    names: Annotated[
        Annotated[tuple[DeploymentName, ...], at.MinLen(1), at.MaxLen(20)],
        Option("Names of services of the workspace, each once."),
    ]


@dataclass(frozen=True, kw_only=True, slots=True)
class PostWebhook:
    """The body that registers a webhook; its secret is made by Slipway."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    name: Annotated[str, at.MinLen(1), at.MaxLen(128)]
    url: Url
    events: EventPatterns = ("deployment.*",)
    enabled: Flag = True


# What a PATCH may hold, checked after it was merged: RFC 7396 knows no types.
MergePatch = Mapping[str, Any]
