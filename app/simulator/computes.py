"""AKS clusters of a workspace: written through ARM, read at the regional host."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from app.simulator.arm import SUBSCRIPTION_PATH, WORKSPACE_PATH, workspace_of
from app.simulator.clusters import Action, Cluster, Clusters
from app.simulator.errors import AzureError
from app.simulator.world import SimulatedWorkspace, World

_OPERATIONS = (
    f"{SUBSCRIPTION_PATH}/providers/Microsoft.MachineLearningServices/locations/"
    "{region}/workspaceOperationsStatus/{operation}"
)


def routes(world: World) -> list[BaseRoute]:
    """Return ARM's routes: create or attach, read, list, remove, keys, operations."""
    computes = _Computes(world)
    one = f"{WORKSPACE_PATH}/computes/{{compute}}"
    return [
        Route(f"{WORKSPACE_PATH}/computes", computes.listed),
        Route(one, computes.put, methods=["PUT"]),
        Route(one, computes.delete, methods=["DELETE"]),
        Route(one, computes.get),
        Route(f"{one}/listKeys", computes.keys, methods=["POST"]),
        Route(_OPERATIONS, computes.operation),
    ]


def read_routes(world: World) -> list[BaseRoute]:
    """Return the routes of the regional host, which azureml-core reads from."""
    computes, base = _Computes(world), f"/rp/workspaces{WORKSPACE_PATH}"
    return [
        Route(f"{base}/computes", computes.listed),
        Route(f"{base}/computes/{{compute}}", computes.get),
    ]


@dataclass(frozen=True, slots=True)
class _Computes:
    world: World

    async def listed(self, request: Request) -> Response:
        workspace = workspace_of(self.world, request)
        clusters = workspace.part(Clusters).all()
        return JSONResponse({"value": [shown(workspace, each) for each in clusters]})

    async def get(self, request: Request) -> Response:
        workspace, cluster = self._cluster(request)
        return JSONResponse(shown(workspace, cluster))

    async def put(self, request: Request) -> Response:
        workspace = workspace_of(self.world, request)
        body = await _body(request)
        cluster = workspace.part(Clusters).put(request.path_params["compute"], body)
        status = 201 if cluster.is_new else 200
        return self._started(workspace, cluster, status)

    async def delete(self, request: Request) -> Response:
        workspace, cluster = self._cluster(request)
        asked = request.query_params.get("underlyingResourceAction", "")
        try:
            action = Action(asked.lower())
        except ValueError as error:
            raise AzureError(
                400,
                "InvalidUnderlyingResourceAction",
                "underlyingResourceAction must be Delete or Detach.",
            ) from error
        workspace.part(Clusters).remove(cluster, action)
        return self._started(workspace, cluster, HTTPStatus.ACCEPTED)

    async def keys(self, request: Request) -> Response:
        _, cluster = self._cluster(request)
        return JSONResponse(
            {
                "computeType": "AKS",
                "userKubeConfig": f"# kubeconfig of {cluster.name} (simulated)",
                "adminKubeConfig": f"# kubeconfig of {cluster.name} (simulated)",
                "imagePullSecretName": "amlsecret-simulated",
            }
        )

    async def operation(self, request: Request) -> Response:
        """Answer 200 for a failed operation too: its body says so."""
        asked = str(request.path_params["operation"])
        for workspace in self.world.workspaces.values():
            found = workspace.part(Clusters).operation(asked)
            if found is not None:
                body: dict[str, object] = {
                    "id": request.url.path,
                    "name": asked,
                    "status": found.status,
                    "startTime": found.started_at.isoformat(),
                }
                if found.status != "InProgress" and found.plan.error:
                    body["error"] = found.plan.error
                return JSONResponse(body)
        raise AzureError(404, "NotFound", f"The operation '{asked}' was not found.")

    def _cluster(self, request: Request) -> tuple[SimulatedWorkspace, Cluster]:
        workspace = workspace_of(self.world, request)
        return workspace, workspace.part(Clusters).get(request.path_params["compute"])

    def _started(
        self, workspace: SimulatedWorkspace, cluster: Cluster, status: int
    ) -> Response:
        path = _OPERATIONS.format(
            subscription=workspace.subscription,
            region=workspace.region,
            operation=cluster.operation,
        )
        url = f"https://management.azure.com{path}?api-version=2020-02-02"
        headers = {"Azure-AsyncOperation": url, "Location": url}
        if status == HTTPStatus.ACCEPTED:
            return Response(status_code=status, headers=headers)
        return JSONResponse(shown(workspace, cluster), status, headers)


async def _body(request: Request) -> Mapping[str, object]:
    try:
        body = await request.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise AzureError(
            400, "InvalidRequestContent", "The request content was not valid JSON."
        )
    return body


def shown(workspace: SimulatedWorkspace, cluster: Cluster) -> dict[str, object]:
    """Return a cluster as Azure shows it: every option, no private key."""
    properties = copy.deepcopy(dict(cluster.properties))
    ssl = properties.get("sslConfiguration")
    if isinstance(ssl, dict):
        ssl.pop("key", None)
        ssl.pop("cert", None)
        for name in ("leafDomainLabel", "cname", "overwriteExistingDomain"):
            ssl.setdefault(name, None)
    is_up = cluster.resource_id is not None
    return {
        "id": f"{workspace.arm_id}/computes/{cluster.name}",
        "name": cluster.name,
        "type": "Microsoft.MachineLearningServices/workspaces/computes",
        "location": workspace.region,
        "tags": cluster.tags,
        "properties": {
            "computeType": "AKS",
            "computeLocation": cluster.location,
            "description": cluster.description,
            "createdOn": cluster.created_at.isoformat(),
            "modifiedOn": cluster.modified_at.isoformat(),
            "resourceId": cluster.resource_id,
            "isAttachedCompute": cluster.is_attached,
            "provisioningState": cluster.state,
            "provisioningErrors": cluster.errors or None,
            "disableLocalAuth": False,
            "properties": {
                "agentCount": None,
                "agentVmSize": None,
                "aksNetworkingConfiguration": None,
                "clusterPurpose": "FastProd",
                "loadBalancerSubnet": None,
                "loadBalancerType": "PublicIp",
                "sslConfiguration": None,
                **properties,
                "clusterFqdn": cluster.fqdn if is_up else None,
                "systemServices": cluster.services() if is_up else None,
            },
        },
    }
