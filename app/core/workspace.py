"""A workspace: where models come from and where they are deployed."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, ClassVar, Literal

import annotated_types as at

from app.core.specs import Integer


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What one workspace may take at once; None is no limit."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    concurrent_operations: Annotated[Integer, at.Ge(1), at.Le(5000)] | None = None
    calls_per_second: Annotated[float, at.Gt(0), at.Le(1000)] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class MlflowWorkspace:
    """A plain MLflow store: http(s), or `sqlite:`/`file:` inside LOCAL_STORES.

    `registry_uri` defaults to `tracking_uri`.
    """

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    kind: Literal["mlflow"] = "mlflow"
    tracking_uri: Annotated[str, at.MinLen(1), at.MaxLen(2048)]
    registry_uri: Annotated[str, at.MinLen(1), at.MaxLen(2048)] | None = None


WorkspaceIdentity = MlflowWorkspace


@dataclass(frozen=True, kw_only=True, slots=True)
class Workspace:
    """A workspace as it stands; `projects` None means every project may use it."""

    id: str
    name: str
    project: str
    identity: WorkspaceIdentity
    limits: Limits
    projects: tuple[str, ...] | None
    created_by: str
    created_at: datetime
    updated_at: datetime

    def is_granted_to(self, project: str) -> bool:
        """Say whether a key of `project` may deploy here."""
        return self.projects is None or project in self.projects
