"""Where deployed services answer: Container Instances and the front of a cluster."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from app.simulator.errors import AzureError
from app.simulator.model_runner import ModelRunner
from app.simulator.predictions import invocation, predicted
from app.simulator.running_models import RunningModels
from app.simulator.service_access import admit
from app.simulator.service_addresses import service_at
from app.simulator.services import ServiceRecord
from app.simulator.world import SimulatedWorkspace, World

# Says of an answer that no model made it.
SIMULATED = "x-simulated-prediction"

_ON_CLUSTER = "/api/v1/service/{name}"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Called:
    """A service that answers at the called address, and the request to it."""

    workspace: SimulatedWorkspace
    record: ServiceRecord
    request: Request

    @property
    def runner(self) -> ModelRunner | None:
        settings = self.workspace.world.settings
        return settings.model_runner if settings.run_models else None


def routes(world: World) -> list[BaseRoute]:
    """Return the routes of every scoring host."""

    def bound(
        handler: Callable[[_Called], Awaitable[Response]],
    ) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            return await handler(_called(world, request))

        return answer

    return [
        route
        for base in (_ON_CLUSTER, "")
        for route in (
            Route(f"{base}/score", bound(_score), methods=["POST"]),
            Route(f"{base}/swagger.json", bound(_swagger)),
            Route(f"{base}/", bound(_health)),
        )
    ]


def _called(world: World, request: Request) -> _Called:
    host = request.headers.get("host", "").lower().partition(":")[0]
    found = service_at(world, host, request.path_params.get("name"))
    if found is None:
        raise AzureError(404, "NotFound", f"No service answers at {request.url}.")
    book, record = found
    if not record.is_serving:
        raise AzureError(502, "BadGateway", f"{record.name} has no ready container.")
    return _Called(workspace=book.workspace, record=record, request=request)


async def _health(called: _Called) -> Response:
    return PlainTextResponse(f"Healthy: {called.record.name}")


async def _score(called: _Called) -> Response:
    world = called.workspace.world
    admit(world, called.record, called.request.headers.get("authorization", ""))
    try:
        body = json.loads(await called.request.body())
    except ValueError as error:
        raise AzureError(400, "BadRequest", "The request is not JSON.") from error
    if called.runner is None:
        return JSONResponse(predicted(body), headers={SIMULATED: "true"})
    status, answer = await world.part(RunningModels).score(
        called.runner,
        called.workspace,
        called.record,
        json.dumps(invocation(body)).encode(),
    )
    return Response(answer, status, media_type="application/json")


async def _swagger(called: _Called) -> Response:
    admit_header = called.request.headers.get("authorization", "")
    admit(called.workspace.world, called.record, admit_header)
    return JSONResponse(
        {
            "swagger": "2.0",
            "info": {"title": called.record.name, "version": "1.0"},
            "host": called.request.headers.get("host", ""),
            "paths": {
                called.request.url.path.replace("/swagger.json", "/score"): {
                    "post": {
                        "operationId": "RunMLService",
                        "consumes": ["application/json"],
                        "produces": ["application/json"],
                        "responses": {"200": {"description": "The prediction."}},
                    }
                }
            },
        }
    )
