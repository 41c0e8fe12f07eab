"""What a caller asks for, field by field, each option declared once.

An option's type, bounds, documentation and effect stand here and nowhere else:
validation, the OpenAPI document and the `validate_only` diff are read from it.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

import annotated_types as at

from app.core.aci_options import AciOptions
from app.core.aks_options import AksOptions
from app.core.errors import FieldProblem
from app.core.option import Effect, Integer, Matches, Option, ToldApartBy

NAME_PATTERN = r"^[a-z][a-z0-9-]{1,30}[a-z0-9]$"
# MLflow refuses these in a registered model's name; the rest is our own bound.
REGISTERED_NAME_PATTERN = r"^[^/:@?#\s]{1,200}$"
ENVIRONMENT_NAME_PATTERN = r"^[A-Za-z_][A-Za-z0-9_]{0,127}$"


Text = Annotated[str, at.MaxLen(1024)]
TagKey = Annotated[str, at.MinLen(1), at.MaxLen(256)]
TagValue = Annotated[str, at.MaxLen(256)]
Tags = Annotated[Mapping[TagKey, TagValue], at.MaxLen(50)]
DeploymentName = Annotated[str, Matches(NAME_PATTERN)]
WorkspaceName = Annotated[str, Matches(NAME_PATTERN)]


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelSpec:
    """Which model to serve, and under which name to register a run's model."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    uri: Annotated[
        str,
        at.MinLen(1),
        at.MaxLen(2048),
        Option(
            "runs:/<run>/<path>, models:/<name>/<version>, models:/<name>@<alias> "
            "or models:/<name>/latest; pinned to one version when it is accepted."
        ),
    ]
    register_as: Annotated[
        Annotated[str, Matches(REGISTERED_NAME_PATTERN)] | None,
        Option("Registered name for a run's model; default `<deployment>-model`."),
    ] = None
    tags: Annotated[
        Tags,
        Option("Tags for the registered version.", Effect.IN_PLACE),
    ] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class LocalOptions:
    """Target `local`: the MLflow scoring server in a confined child process."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    kind: Literal["local"]
    environment_variables: Annotated[
        Annotated[
            Mapping[
                Annotated[str, Matches(ENVIRONMENT_NAME_PATTERN)],
                Annotated[str, at.MaxLen(4096)],
            ],
            at.MaxLen(50),
        ],
        Option("Plain settings for the model's process; never put a secret here."),
    ] = field(default_factory=dict)
    startup_timeout_seconds: Annotated[
        Integer,
        at.Ge(5),
        at.Le(3600),
        Option("How long loading the model may take.", Effect.IN_PLACE),
    ] = 120

    def problems(self) -> Iterator[FieldProblem]:
        """Yield what is wrong between its fields, by pointer below the target."""
        yield from ()


# A new target adds its options here; `kind` tells them apart.
AnyTargetOptions = LocalOptions | AciOptions | AksOptions
TargetOptions = Annotated[AnyTargetOptions, ToldApartBy("kind")]


# How much a revision must prove before callers reach it.
VerifyMode = Literal["required", "best_effort", "off"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Expectation:
    """What a right answer looks like."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    status: Annotated[Integer, at.Ge(100), at.Le(599), Option("The HTTP status.")] = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class VerifySpec:
    """How a new revision is scored once before callers reach it."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    mode: Annotated[
        VerifyMode,
        Option("best_effort lets a revision through that cannot be scored."),
    ] = "best_effort"
    input: Annotated[
        Mapping[str, Any] | None,
        Option("The scoring body; default is the model's own input example."),
    ] = None
    expect: Annotated[Expectation, Option("What a right answer looks like.")] = field(
        default_factory=Expectation
    )
    timeout_seconds: Annotated[
        Integer, at.Ge(1), at.Le(300), Option("Per attempt, in seconds.")
    ] = 60
    attempts: Annotated[Integer, at.Ge(1), at.Le(10), Option("Tries in all.")] = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class RolloutSpec:
    """How traffic moves to a new revision."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    strategy: Annotated[
        Literal["all_at_once"], Option("All traffic at once, after verify.")
    ] = "all_at_once"


@dataclass(frozen=True, kw_only=True, slots=True)
class DeploymentSpec:
    """All that a revision is made of; two equal specs are the same revision."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    model: Annotated[ModelSpec, Option("The model to serve.", Effect.NEW_REVISION)]
    target: Annotated[TargetOptions, Option("Where to serve.", Effect.NEW_REVISION)]
    description: Annotated[Text, Option("For people.", Effect.IN_PLACE)] = ""
    tags: Annotated[Tags, Option("For finding it again.", Effect.IN_PLACE)] = field(
        default_factory=dict
    )
    properties: Annotated[Tags, Option("Facts about it.", Effect.IN_PLACE)] = field(
        default_factory=dict
    )
    verify: Annotated[VerifySpec, Option("Smoke test.", Effect.IN_PLACE)] = field(
        default_factory=VerifySpec
    )
    rollout: Annotated[RolloutSpec, Option("Traffic.", Effect.IN_PLACE)] = field(
        default_factory=RolloutSpec
    )

    def registered_name(self, deployment_name: str) -> str:
        """Return the name under which a run's model is registered."""
        return self.model.register_as or f"{deployment_name}-model"


def is_safe_tag_key(key: str) -> bool:
    """Say whether a caller may use this tag; `slipway.` is for our own marks."""
    return not re.match(r"slipway[.:]", key, re.IGNORECASE)
