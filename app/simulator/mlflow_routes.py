"""The MLflow REST of a workspace, as its plugin calls it at the region's host.

Below `/mlflow/v1.0` and `/mlflow/v2.0` alike. What MLflow 3 added, logged models above
all, gets the bare 404 of the real service (azure-sdk-for-python issue 44896).
"""

from collections.abc import Mapping
from types import MappingProxyType

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from app.simulator.mlflow_fields import Fields
from app.simulator.mlflow_registry_calls import REGISTRY_CALLS
from app.simulator.mlflow_tracking_calls import TRACKING_CALLS, Call
from app.simulator.world import World

_SCOPE = (
    "/subscriptions/{subscription}/resourceGroups/{group}"
    "/providers/Microsoft.MachineLearningServices/workspaces/{workspace}"
)
_METHODS = ["GET", "POST", "PATCH", "DELETE"]
_CALLS: Mapping[tuple[str, str], Call] = MappingProxyType(
    {**TRACKING_CALLS, **REGISTRY_CALLS}
)


def routes(world: World) -> list[BaseRoute]:
    """Return the routes below `/mlflow/`."""

    async def answer(request: Request) -> Response:
        places = request.path_params
        workspace = world.workspace(
            places["subscription"], places["group"], places["workspace"]
        )
        call = _CALLS.get((request.method, places["call"]))
        if call is None:
            return Response(status_code=404)
        return JSONResponse(call(workspace, await Fields.read(request)))

    below = [f"api/2.0/{kind}/" for kind in ("mlflow", "preview/mlflow")]
    return [
        Route(
            f"/mlflow/{version}{_SCOPE}/{path}{{call:path}}", answer, methods=_METHODS
        )
        for version in ("v1.0", "v2.0")
        for path in (*below, "")
    ]
