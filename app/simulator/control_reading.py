"""What the control API shows: the faults, what was asked, and what there is."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from app.simulator import fault_table
from app.simulator.control_errors import ControlError
from app.simulator.faults import FaultKind
from app.simulator.quotas import Quotas, providers
from app.simulator.rights import Rights
from app.simulator.world import SimulatedWorkspace, World


@runtime_checkable
class Shown(Protocol):
    """A part of a workspace that can tell what it holds."""

    def state(self) -> object:
        """Return it as JSON."""
        ...


def reading_routes(world: World, environment: Mapping[str, str]) -> list[BaseRoute]:
    """Return the routes that change nothing."""
    reading = _Reading(world, environment)
    return [
        Route("/", reading.index),
        Route("/environment", reading.variables),
        Route("/fault-kinds", reading.fault_kinds),
        Route("/faults", reading.faults),
        Route("/requests", reading.requests),
        Route("/unexpected-hosts", reading.unexpected_hosts),
        Route("/state", reading.state),
        Route("/time", reading.time),
    ]


@dataclass(frozen=True, slots=True)
class _Reading:
    world: World
    environment: Mapping[str, str]

    async def index(self, _: Request) -> Response:
        journal = self.world.journal
        return JSONResponse(
            {
                "simulator": "Azure Machine Learning, the surface that Slipway uses",
                "workspaces": [each.arm_id for each in self.world.workspaces.values()],
                "requests": len(journal.requests),
                "unknown_routes": len(journal.unknown()),
                "unexpected_hosts": len(journal.unexpected_hosts),
                "faults": len(self.world.faults.state()),
                "speed": self.world.clock.speed,
            }
        )

    async def variables(self, _: Request) -> Response:
        return JSONResponse(dict(self.environment))

    async def fault_kinds(self, _: Request) -> Response:
        return _listed([_kind(kind) for kind in fault_table.kinds().values()])

    async def faults(self, _: Request) -> Response:
        return _listed(self.world.faults.state())

    async def requests(self, request: Request) -> Response:
        query = request.query_params
        try:
            after = int(query.get("after", "0"))
        except ValueError as error:
            raise ControlError(400, "after: a number is wanted.") from error
        seen = self.world.journal.seen(
            query.get("method", "").upper(), query.get("path", "")
        )
        with_body = query.get("bodies") == "true"
        return _listed(
            [
                each.state(with_body=with_body)
                for each in seen
                if each.number > after
                and (query.get("unknown") != "true" or each.is_unknown)
            ]
        )

    async def unexpected_hosts(self, _: Request) -> Response:
        hosts = self.world.journal.unexpected_hosts
        return _listed(
            [{"host": host, "attempts": count} for host, count in hosts.items()]
        )

    async def state(self, _: Request) -> Response:
        world = self.world
        return JSONResponse(
            {
                "time": world.clock.now().isoformat(),
                "subscriptions": world.subscriptions,
                "clients": list(world.clients),
                "permissions": world.part(Rights).permissions(),
                "workspaces": [
                    self._workspace(each) for each in world.workspaces.values()
                ],
            }
        )

    async def time(self, _: Request) -> Response:
        clock = self.world.clock
        return JSONResponse(
            {
                "now": clock.now().isoformat(),
                "seconds": round(clock.seconds(), 3),
                "speed": clock.speed,
            }
        )

    def _workspace(self, workspace: SimulatedWorkspace) -> dict[str, object]:
        place = (workspace.subscription, workspace.region)
        quotas = self.world.part(Quotas)
        return {
            "id": workspace.arm_id,
            "region": workspace.region,
            "workspace_id": workspace.workspace_id,
            "quotas": {name: quotas.listed(place, name) for name in providers()},
            "parts": {
                type(part).__name__: part.state()
                for part in workspace.parts()
                if isinstance(part, Shown)
            },
        }


def _kind(kind: FaultKind) -> dict[str, object]:
    return {
        "name": kind.name,
        "about": kind.about,
        "where": list(kind.where),
        "parameters": dict(kind.parameters),
    }


def _listed(items: list[dict[str, object]]) -> Response:
    return JSONResponse({"items": items})
