"""What the control API takes: each body, checked."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

_Name = Annotated[str, Field(min_length=1, max_length=90, pattern=r"^[\w.()-]+$")]


class _Body(BaseModel):
    """A misspelled field is refused, not ignored."""

    model_config = ConfigDict(extra="forbid")


class FaultBody(_Body):
    """A rule: `times` null is for good, `after` occasions are spared first."""

    name: str
    times: Annotated[int, Field(ge=1)] | None = 1
    after: Annotated[int, Field(ge=0)] = 0
    where: dict[str, str] = {}
    parameters: dict[str, str | int | float] = {}


class TimeBody(_Body):
    """How fast time runs from now, and how much of it passes at once."""

    speed: Annotated[float, Field(gt=0, le=1_000_000)] | None = None
    skip_seconds: Annotated[float, Field(ge=0)] = 0


class WorkspaceBody(_Body):
    """A workspace to add; its subscription and group come with it."""

    subscription: _Name
    group: _Name
    name: _Name
    region: Annotated[str, Field(pattern=r"^[a-z0-9]+$")] = "eastus2"


class PermissionBody(_Body):
    """One entry of what the caller may do, as a role definition writes it."""

    actions: list[str]
    notActions: list[str] = []  # noqa: N815  # Azure's own spelling


class PermissionsBody(_Body):
    """All that the caller may do from now on."""

    permissions: list[PermissionBody]


class QuotaBody(_Body):
    """A quota to change: only what is given changes."""

    subscription: _Name
    region: str
    provider: str
    name: str
    limit: Annotated[int, Field(ge=0)] | None = None
    used: Annotated[int, Field(ge=0)] | None = None


class ClientBody(_Body):
    """A client of Azure AD to add, or a secret to change."""

    client_id: _Name
    secret: Annotated[str, Field(min_length=1)]


class ServiceBody(_Body):
    """A service of somebody else's making, shown as `document` says."""

    workspace: str
    name: _Name
    document: dict[str, object]
