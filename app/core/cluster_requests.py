"""What callers send of clusters: the spec, and how this change is to be made."""

from dataclasses import dataclass, fields
from typing import Annotated

import annotated_types as at

from app.core.cluster_spec import (
    AnyClusterSpec,
    AttachCluster,
    CreateCluster,
)
from app.core.option import Integer, Option, ToldApartBy

# What Azure needs is a quarter of an hour; this long it may be held up.
_Deadline = Annotated[
    Annotated[Integer, at.Ge(30), at.Le(86400)],
    Option("The operation fails if it takes longer."),
]


@dataclass(frozen=True, kw_only=True, slots=True)
class PutCreatedCluster(CreateCluster):
    """The body of PUT for a cluster to be made; `{}` takes every default."""

    deadline_seconds: _Deadline = 7200

    def spec(self) -> AnyClusterSpec:
        """Return the part that is compared with what stands."""
        return CreateCluster(
            **{f.name: getattr(self, f.name) for f in fields(CreateCluster)}
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class PutAttachedCluster(AttachCluster):
    """The body of PUT for a cluster that exists."""

    deadline_seconds: _Deadline = 7200

    def spec(self) -> AnyClusterSpec:
        """Return the part that is compared with what stands."""
        return AttachCluster(
            **{f.name: getattr(self, f.name) for f in fields(AttachCluster)}
        )


PutCluster = Annotated[
    PutCreatedCluster | PutAttachedCluster, ToldApartBy("mode", default="create")
]
