"""The documents of Azure Resource Manager, field by field."""

from app.simulator.discovery import discovery_url
from app.simulator.world import SimulatedWorkspace, World

REGISTRIES = "providers/Microsoft.ContainerRegistry/registries"


def subscription_document(world: World, subscription: str) -> dict[str, object]:
    """Return a subscription as ARM shows it."""
    return {
        "id": f"/subscriptions/{subscription}",
        "subscriptionId": subscription,
        "tenantId": world.tenant,
        "displayName": world.subscriptions[subscription],
        "state": "Enabled",
        "subscriptionPolicies": {
            "locationPlacementId": "Public_2014-09-01",
            "quotaId": "EnterpriseAgreement_2014-09-01",
            "spendingLimit": "Off",
        },
        "authorizationSource": "RoleBased",
    }


def workspace_document(workspace: SimulatedWorkspace) -> dict[str, object]:
    """Return a workspace as ARM shows it, at any api-version."""
    base = f"/subscriptions/{workspace.subscription}/resourceGroups"
    group = f"{base}/{workspace.group}/providers"
    return {
        "id": workspace.arm_id,
        "name": workspace.name,
        "type": "Microsoft.MachineLearningServices/workspaces",
        "location": workspace.region,
        "tags": dict(workspace.tags),
        "etag": None,
        "kind": "Default",
        "sku": {"name": "Basic", "tier": "Basic"},
        "identity": {
            "type": "SystemAssigned",
            "principalId": workspace.workspace_id,
            "tenantId": workspace.world.tenant,
        },
        "properties": {
            "friendlyName": workspace.name,
            "description": "",
            "storageAccount": f"{group}/Microsoft.Storage/storageAccounts/"
            f"{workspace.storage_account}",
            "containerRegistry": registry_id(workspace),
            "keyVault": f"{group}/Microsoft.KeyVault/vaults/"
            f"{workspace.storage_account}",
            "applicationInsights": f"{group}/microsoft.insights/components/"
            f"{workspace.name}",
            "hbiWorkspace": False,
            "tenantId": workspace.world.tenant,
            "imageBuildCompute": None,
            "provisioningState": "Succeeded",
            "v1LegacyMode": False,
            "creationTime": workspace.created_at.isoformat(),
            "workspaceId": workspace.workspace_id,
            "workspaceid": workspace.workspace_id,
            "discoveryUrl": discovery_url(workspace.region),
            "mlFlowTrackingUri": f"azureml://{workspace.region}.api.azureml.ms"
            f"/mlflow/v1.0{workspace.arm_id}",
            "publicNetworkAccess": "Enabled",
            "allowPublicAccessWhenBehindVnet": False,
        },
    }


def group_document(workspace: SimulatedWorkspace) -> dict[str, object]:
    """Return the workspace's resource group as ARM shows it."""
    return {
        "id": f"/subscriptions/{workspace.subscription}"
        f"/resourceGroups/{workspace.group}",
        "name": workspace.group,
        "type": "Microsoft.Resources/resourceGroups",
        "location": workspace.region,
        "properties": {"provisioningState": "Succeeded"},
    }


def registry_document(workspace: SimulatedWorkspace) -> dict[str, object]:
    """Return the workspace's container registry as ARM shows it."""
    return {
        "id": registry_id(workspace),
        "name": workspace.registry_name,
        "type": "Microsoft.ContainerRegistry/registries",
        "location": workspace.region,
        "sku": {"name": "Basic", "tier": "Basic"},
        "tags": {},
        "properties": {
            "loginServer": f"{workspace.registry_name}.azurecr.io",
            "creationDate": workspace.created_at.isoformat(),
            "provisioningState": "Succeeded",
            "adminUserEnabled": True,
            "publicNetworkAccess": "Enabled",
        },
    }


def registry_id(workspace: SimulatedWorkspace) -> str:
    """Return the ARM id of the workspace's container registry."""
    return (
        f"/subscriptions/{workspace.subscription}/resourceGroups/{workspace.group}"
        f"/{REGISTRIES}/{workspace.registry_name}"
    )
