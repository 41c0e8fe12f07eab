"""What the control API changes: faults, time, and what there is to begin with."""

from collections.abc import Iterable
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from app.simulator import fault_table
from app.simulator.control_bodies import (
    ClientBody,
    FaultBody,
    PermissionsBody,
    QuotaBody,
    ServiceBody,
    TimeBody,
    WorkspaceBody,
)
from app.simulator.control_errors import ControlError, read
from app.simulator.quotas import Quotas, providers
from app.simulator.rights import Permission, Rights
from app.simulator.services import ServiceBook
from app.simulator.world import WorkspacePlace, World


def changing_routes(world: World) -> list[BaseRoute]:
    """Return the routes that change something."""
    changing = _Changing(world)
    return [
        Route("/faults", changing.add_fault, methods=["POST"]),
        Route("/faults", changing.clear_faults, methods=["DELETE"]),
        Route("/faults/{fault}", changing.remove_fault, methods=["DELETE"]),
        Route("/requests", changing.forget_requests, methods=["DELETE"]),
        Route("/time", changing.set_time, methods=["PUT"]),
        Route("/workspaces", changing.add_workspace, methods=["POST"]),
        Route("/services", changing.plant_service, methods=["POST"]),
        Route("/clients", changing.add_client, methods=["POST"]),
        Route("/permissions", changing.set_permissions, methods=["PUT"]),
        Route("/quotas", changing.set_quota, methods=["PUT"]),
        Route("/world", changing.reset, methods=["DELETE"]),
    ]


@dataclass(frozen=True, slots=True)
class _Changing:
    world: World

    async def add_fault(self, request: Request) -> Response:
        body = await read(request, FaultBody)
        kind = fault_table.kinds().get(body.name)
        if kind is None:
            raise ControlError(400, f"name: there is no fault '{body.name}'.")
        _check_names("where", body.where, kind.where)
        _check_names("parameters", body.parameters, kind.parameters)
        added = self.world.faults.add(
            body.name,
            times=body.times,
            after=body.after,
            where=body.where,
            parameters=body.parameters,
        )
        return JSONResponse({"id": added.id}, 201)

    async def clear_faults(self, _: Request) -> Response:
        self.world.faults.clear()
        return Response(status_code=204)

    async def remove_fault(self, request: Request) -> Response:
        if not self.world.faults.remove(request.path_params["fault"]):
            raise ControlError(404, "There is no such fault.")
        return Response(status_code=204)

    async def forget_requests(self, _: Request) -> Response:
        self.world.journal.clear()
        return Response(status_code=204)

    async def set_time(self, request: Request) -> Response:
        body, clock = await read(request, TimeBody), self.world.clock
        if body.speed is not None:
            clock.set_speed(body.speed)
        clock.skip(body.skip_seconds)
        return JSONResponse({"now": clock.now().isoformat(), "speed": clock.speed})

    async def add_workspace(self, request: Request) -> Response:
        body = await read(request, WorkspaceBody)
        added = self.world.add_workspace(
            WorkspacePlace(
                subscription=body.subscription,
                group=body.group,
                name=body.name,
                region=body.region,
            )
        )
        return JSONResponse({"id": added.arm_id}, 201)

    async def plant_service(self, request: Request) -> Response:
        body = await read(request, ServiceBody)
        workspace = self.world.workspaces.get(body.workspace.lower())
        if workspace is None:
            raise ControlError(404, f"workspace: there is no '{body.workspace}'.")
        planted = workspace.part(ServiceBook).plant(body.name, body.document)
        return JSONResponse({"name": planted.name, "state": planted.state}, 201)

    async def add_client(self, request: Request) -> Response:
        body = await read(request, ClientBody)
        self.world.clients[body.client_id] = body.secret
        return JSONResponse({"client_id": body.client_id}, 201)

    async def set_permissions(self, request: Request) -> Response:
        body = await read(request, PermissionsBody)
        rights = self.world.part(Rights)
        rights.replace(
            tuple(
                Permission(
                    actions=tuple(each.actions), not_actions=tuple(each.notActions)
                )
                for each in body.permissions
            )
        )
        return JSONResponse({"permissions": rights.permissions()})

    async def set_quota(self, request: Request) -> Response:
        body = await read(request, QuotaBody)
        if body.provider not in providers():
            raise ControlError(400, f"provider: one of {', '.join(providers())}.")
        place = (body.subscription, body.region)
        quotas = self.world.part(Quotas)
        quotas.set(place, body.provider, body.name, limit=body.limit, used=body.used)
        return JSONResponse({"items": quotas.listed(place, body.provider)})

    async def reset(self, _: Request) -> Response:
        self.world.reset()
        return Response(status_code=204)


def _check_names(field: str, given: Iterable[str], known: Iterable[str]) -> None:
    unknown = set(given) - set(known)
    if unknown:
        raise ControlError(400, f"{field}: there is no {', '.join(sorted(unknown))}.")
