"""Quotas and their use, as the resource providers list them for a region."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from app.simulator.world import World

CONTAINERS = "Microsoft.ContainerInstance"
MACHINE_LEARNING = "Microsoft.MachineLearningServices"
COMPUTE = "Microsoft.Compute"
CORES = "cores"

# Limits of a new subscription of ordinary size.
_LIMITS: Mapping[str, Mapping[str, int]] = MappingProxyType(
    {
        CONTAINERS: {"ContainerGroups": 100, "StandardCores": 100},
        MACHINE_LEARNING: {
            "Total Cluster Dedicated Regional vCPUs": 48,
            "Standard DSv2 Family Cluster Dedicated vCPUs": 24,
            "Total Cluster Low Priority Regional vCPUs": 48,
        },
        COMPUTE: {CORES: 100, "standardDv2Family": 100, "virtualMachines": 25_000},
    }
)


@dataclass(slots=True)
class _Quota:
    limit: int
    used: int = 0


class Quotas:
    """What a subscription may use in each region, and does."""

    def __init__(self, _: World) -> None:
        self._quotas: dict[tuple[str, str, str, str], _Quota] = {}

    def set(
        self,
        place: tuple[str, str],
        provider: str,
        name: str,
        *,
        limit: int | None = None,
        used: int | None = None,
    ) -> None:
        """Change a quota of `place`, which is a subscription and a region."""
        quota = self._quota(place, provider, name)
        quota.limit = quota.limit if limit is None else limit
        quota.used = quota.used if used is None else used

    def take(
        self, place: tuple[str, str], provider: str, name: str, count: int
    ) -> bool:
        """Use `count` more (fewer, if negative); False, and nothing, past the limit."""
        quota = self._quota(place, provider, name)
        if count > 0 and quota.used + count > quota.limit:
            return False
        quota.used = max(0, quota.used + count)
        return True

    def listed(self, place: tuple[str, str], provider: str) -> list[dict[str, object]]:
        """Return the quotas of a provider as Azure lists their use."""
        names = [*_LIMITS[provider]]
        names += [
            key[3]
            for key in self._quotas
            if key[:3] == _key(place, provider, "")[:3] and key[3] not in names
        ]
        subscription, region = place
        base = f"/subscriptions/{subscription}/providers/{provider}/locations/{region}"
        return [
            {
                "id": f"{base}/usages/{name}",
                "unit": "Count",
                "currentValue": self._quota(place, provider, name).used,
                "limit": self._quota(place, provider, name).limit,
                "name": {"value": name, "localizedValue": name},
            }
            for name in names
        ]

    def _quota(self, place: tuple[str, str], provider: str, name: str) -> _Quota:
        limit = _LIMITS[provider].get(name, 0)
        return self._quotas.setdefault(_key(place, provider, name), _Quota(limit=limit))


def providers() -> tuple[str, ...]:
    """Return the resource providers that have quotas here."""
    return tuple(_LIMITS)


def quota_routes(world: World) -> list[BaseRoute]:
    """Return the routes that list quotas and their use."""

    def listed(provider: str, request: Request) -> list[dict[str, object]]:
        place = (request.path_params["subscription"], request.path_params["region"])
        return world.part(Quotas).listed(place, provider)

    def usages(provider: str) -> Route:
        async def answer(request: Request) -> Response:
            return JSONResponse({"value": listed(provider, request)})

        return Route(f"{_path(provider)}/usages", answer)

    async def quotas(request: Request) -> Response:
        found = listed(MACHINE_LEARNING, request)
        return JSONResponse({"value": [_as_quota(usage) for usage in found]})

    return [
        *(usages(provider) for provider in _LIMITS),
        Route(f"{_path(MACHINE_LEARNING)}/quotas", quotas),
    ]


def _path(provider: str) -> str:
    return f"/subscriptions/{{subscription}}/providers/{provider}/locations/{{region}}"


def _as_quota(usage: dict[str, object]) -> dict[str, object]:
    shown = {key: usage[key] for key in ("id", "unit", "limit", "name")}
    return {**shown, "type": f"{MACHINE_LEARNING}/vmFamily/quotas"}


def _key(place: tuple[str, str], provider: str, name: str) -> tuple[str, str, str, str]:
    return place[0].lower(), place[1].lower(), provider, name
