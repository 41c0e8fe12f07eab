"""Azure Resource Manager: subscriptions, groups, workspaces, registries, rights."""

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from app.simulator.arm_documents import (
    REGISTRIES,
    group_document,
    registry_document,
    subscription_document,
    workspace_document,
)
from app.simulator.errors import AzureError
from app.simulator.faults import FaultKind
from app.simulator.quotas import quota_routes
from app.simulator.rights import Rights
from app.simulator.world import SimulatedWorkspace, World

KINDS = (
    FaultKind(
        name="workspace-missing",
        about="404 for a workspace that is there.",
        where=("workspace",),
    ),
    FaultKind(
        name="registry-missing",
        about="404 for the workspace's container registry.",
        where=("workspace",),
    ),
)

SUBSCRIPTION_PATH = "/subscriptions/{subscription}"
GROUP_PATH = f"{SUBSCRIPTION_PATH}/resourceGroups/{{group}}"
WORKSPACE_PATH = (
    f"{GROUP_PATH}/providers/Microsoft.MachineLearningServices/workspaces/{{workspace}}"
)
_WORKSPACES = "providers/Microsoft.MachineLearningServices/workspaces"


def routes(world: World) -> list[BaseRoute]:
    """Return ARM's routes, those of computes aside."""
    arm = _Arm(world)
    rights = "providers/Microsoft.Authorization/permissions"
    return [
        Route("/tenants", arm.tenants),
        Route("/subscriptions", arm.subscriptions),
        Route(SUBSCRIPTION_PATH, arm.subscription),
        Route(f"{SUBSCRIPTION_PATH}/resourceGroups", arm.groups),
        Route(GROUP_PATH, arm.group),
        Route(f"{SUBSCRIPTION_PATH}/resources", arm.resources),
        Route(f"{GROUP_PATH}/resources", arm.resources),
        Route(f"{SUBSCRIPTION_PATH}/{_WORKSPACES}", arm.workspaces),
        Route(f"{GROUP_PATH}/{_WORKSPACES}", arm.workspaces),
        Route(WORKSPACE_PATH, arm.workspace),
        Route(f"{WORKSPACE_PATH}/onlineEndpoints", arm.endpoints),
        Route(f"{WORKSPACE_PATH}/onlineEndpoints/{{endpoint}}", arm.endpoint),
        Route(f"{WORKSPACE_PATH}/{rights}", arm.workspace_rights),
        Route(f"{GROUP_PATH}/{REGISTRIES}/{{registry}}/{rights}", arm.registry_rights),
        Route(f"{GROUP_PATH}/{rights}", arm.group_rights),
        Route(f"{GROUP_PATH}/{REGISTRIES}/{{registry}}", arm.registry),
        *quota_routes(world),
    ]


def workspace_of(world: World, request: Request) -> SimulatedWorkspace:
    """Return the workspace that a request's path names."""
    path = request.path_params
    return world.workspace(path["subscription"], path["group"], path["workspace"])


@dataclass(frozen=True, slots=True)
class _Arm:
    world: World

    async def tenants(self, _: Request) -> Response:
        tenant = self.world.tenant
        return _listed([{"id": f"/tenants/{tenant}", "tenantId": tenant}])

    async def subscriptions(self, _: Request) -> Response:
        return _listed(
            [subscription_document(self.world, key) for key in self.world.subscriptions]
        )

    async def subscription(self, request: Request) -> Response:
        return JSONResponse(
            subscription_document(self.world, self._known_subscription(request))
        )

    async def groups(self, request: Request) -> Response:
        subscription = self._known_subscription(request)
        found = {
            workspace.group.lower(): group_document(workspace)
            for workspace in self._workspaces(subscription)
        }
        return _listed(list(found.values()))

    async def group(self, request: Request) -> Response:
        return JSONResponse(group_document(self._of_group(request)[0]))

    async def workspaces(self, request: Request) -> Response:
        found = self._asked(request)
        return _listed([workspace_document(workspace) for workspace in found])

    async def resources(self, request: Request) -> Response:
        """Workspaces alone: the one kind that azureml-core filters for."""
        asked = request.query_params.get("$filter", "")
        found = self._asked(request) if _is_about_workspaces(asked) else []
        documents = [workspace_document(workspace) for workspace in found]
        return _listed(
            [
                {key: each[key] for key in ("id", "name", "type", "location", "tags")}
                for each in documents
            ]
        )

    async def workspace(self, request: Request) -> Response:
        return JSONResponse(workspace_document(workspace_of(self.world, request)))

    async def endpoints(self, request: Request) -> Response:
        """List none: v2 endpoints are not simulated, and are asked for all the same."""
        workspace_of(self.world, request)
        return _listed([])

    async def endpoint(self, request: Request) -> Response:
        """Refuse: azureml-mlflow looks here first for a v1 service's name."""
        workspace_of(self.world, request)
        name = request.path_params["endpoint"]
        raise _missing(f"onlineEndpoints/{name}", request)

    async def workspace_rights(self, request: Request) -> Response:
        workspace_of(self.world, request)
        return self._rights()

    async def group_rights(self, request: Request) -> Response:
        self._of_group(request)
        return self._rights()

    async def registry_rights(self, request: Request) -> Response:
        self._registry(request)
        return self._rights()

    async def registry(self, request: Request) -> Response:
        workspace = self._registry(request)
        return JSONResponse(registry_document(workspace))

    def _rights(self) -> Response:
        return _listed(self.world.part(Rights).permissions())

    def _registry(self, request: Request) -> SimulatedWorkspace:
        name = str(request.path_params["registry"])
        for workspace in self._of_group(request):
            if workspace.registry_name == name.lower() and not self.world.faults.take(
                "registry-missing", workspace=workspace.name
            ):
                return workspace
        raise _missing(f"Microsoft.ContainerRegistry/registries/{name}", request)

    def _known_subscription(self, request: Request) -> str:
        asked = str(request.path_params["subscription"])
        if asked.lower() not in self.world.subscriptions:
            raise AzureError(
                404,
                "SubscriptionNotFound",
                f"The subscription '{asked}' could not be found.",
            )
        return asked.lower()

    def _workspaces(self, subscription: str) -> list[SimulatedWorkspace]:
        return [
            workspace
            for workspace in self.world.workspaces.values()
            if workspace.subscription.lower() == subscription.lower()
        ]

    def _asked(self, request: Request) -> list[SimulatedWorkspace]:
        if "group" in request.path_params:
            return self._of_group(request)
        return self._workspaces(self._known_subscription(request))

    def _of_group(self, request: Request) -> list[SimulatedWorkspace]:
        group = str(request.path_params["group"])
        found = [
            workspace
            for workspace in self._workspaces(self._known_subscription(request))
            if workspace.group.lower() == group.lower()
        ]
        if not found:
            raise AzureError(
                404,
                "ResourceGroupNotFound",
                f"Resource group '{group}' could not be found.",
            )
        return found


def _is_about_workspaces(query: str) -> bool:
    wanted = "Microsoft.MachineLearningServices/workspaces"
    return not query or wanted.lower() in query.lower()


def _listed(items: Sequence[object]) -> Response:
    return JSONResponse({"value": list(items)})


def _missing(resource: str, request: Request) -> AzureError:
    return AzureError(
        404,
        "ResourceNotFound",
        f"The Resource '{resource}' under resource group "
        f"'{request.path_params['group']}' was not found. For more details please go "
        "to https://aka.ms/ARMResourceNotFoundFix",
    )
