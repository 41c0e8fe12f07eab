"""A workspace: where models come from and where they are deployed."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, ClassVar, Literal

import annotated_types as at

from app.core.option import Integer, Matches, ToldApartBy


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


Cloud = Literal["AzureCloud", "AzureChinaCloud", "AzureUSGovernment"]
# Azure's own rules for these names, as Resource Manager documents them.
SUBSCRIPTION_PATTERN = r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"
RESOURCE_GROUP_PATTERN = r"^[A-Za-z0-9_().-]{0,89}[A-Za-z0-9_()-]$"
AZURE_WORKSPACE_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_-]{2,32}$"
CREDENTIAL_NAME_PATTERN = r"^[a-z][a-z0-9-]{0,62}$"


@dataclass(frozen=True, kw_only=True, slots=True)
class AzureMlWorkspace:
    """A workspace of Azure Machine Learning; `credential` is a name of the settings.

    All but the credential is its identity, which cannot change once it was used.
    """

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    kind: Literal["azureml"]
    subscription_id: Annotated[str, Matches(SUBSCRIPTION_PATTERN)]
    resource_group: Annotated[str, Matches(RESOURCE_GROUP_PATTERN)]
    workspace_name: Annotated[str, Matches(AZURE_WORKSPACE_PATTERN)]
    region: Annotated[str, Matches(r"^[a-z0-9]{3,40}$")]
    cloud: Cloud = "AzureCloud"
    credential: Annotated[str, Matches(CREDENTIAL_NAME_PATTERN)] = "default"

    @property
    def arm_id(self) -> str:
        """Return its Azure Resource Manager id, in lower case as ids compare."""
        return (
            f"/subscriptions/{self.subscription_id}/resourcegroups/"
            f"{self.resource_group}/providers/microsoft.machinelearningservices/"
            f"workspaces/{self.workspace_name}"
        ).lower()


AnyWorkspaceIdentity = MlflowWorkspace | AzureMlWorkspace
WorkspaceIdentity = Annotated[AnyWorkspaceIdentity, ToldApartBy("kind")]


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
