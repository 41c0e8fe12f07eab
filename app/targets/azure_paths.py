"""The paths of Azure's REST surface, made of a workspace's identity."""

from urllib.parse import quote

from app.core.errors import NotSupportedError
from app.core.workspace import AzureMlWorkspace, Workspace

WORKSPACE_API = {"api-version": "2024-04-01"}
_PROVIDER = "providers/Microsoft.MachineLearningServices"


def azure_identity(workspace: Workspace) -> AzureMlWorkspace:
    """Return the identity of an Azure ML workspace. Raises NotSupportedError."""
    if not isinstance(workspace.identity, AzureMlWorkspace):
        raise NotSupportedError(
            f"The workspace {workspace.name!r} is not one of Azure Machine Learning.",
            remedy="Use a workspace of the kind `azureml`.",
        )
    return workspace.identity


def group_path(identity: AzureMlWorkspace) -> str:
    """Return the workspace's resource group at Azure Resource Manager."""
    group = quote(identity.resource_group, safe="")
    return f"/subscriptions/{identity.subscription_id}/resourceGroups/{group}"


def workspace_path(identity: AzureMlWorkspace) -> str:
    """Return the workspace at Azure Resource Manager."""
    name = quote(identity.workspace_name, safe="")
    return f"{group_path(identity)}/{_PROVIDER}/workspaces/{name}"


def location_path(identity: AzureMlWorkspace, provider: str) -> str:
    """Return a resource provider's place in the workspace's region."""
    subscription = f"/subscriptions/{identity.subscription_id}"
    return f"{subscription}/providers/{provider}/locations/{identity.region}"


def model_management_path(identity: AzureMlWorkspace) -> str:
    """Return the workspace's model management at its regional host (v1)."""
    return f"/modelmanagement/v1.0{workspace_path(identity)}"


def service_path(identity: AzureMlWorkspace, name: str) -> str:
    """Return a v1 web service at the regional host."""
    return f"{model_management_path(identity)}/services/{quote(name, safe='')}"


def operation_path(identity: AzureMlWorkspace, operation: str) -> str:
    """Return an operation of model management at the regional host."""
    quoted = quote(operation, safe="")
    return f"{model_management_path(identity)}/operations/{quoted}"
