"""All that serves in a workspace, ours and other people's: v1 services, v2 endpoints.

Other people's things look as they like: one that cannot be read is told as such, and
one of the two lists that cannot be had does not take the other one with it.
"""

import asyncio
from collections.abc import Awaitable, Mapping
from typing import Any

from app.core.azure_view import AzureService, AzureServices, ManagedBy, ServiceKind
from app.core.failure import TargetError
from app.core.workspace import Workspace
from app.targets.azure_answer import at
from app.targets.azure_call import Call
from app.targets.azure_paths import WORKSPACE_API, azure_identity, workspace_path
from app.targets.azure_rest import AzureRest
from app.targets.azure_services import listed_services
from app.targets.plain_text import plain_text

# The tags that say whose a service is.
INSTALLATION_TAG = "slipway.installation"
DEPLOYMENT_TAG = "slipway.deployment"

_LONGEST = 200  # characters
_KINDS: Mapping[str, ServiceKind] = {"aci": ServiceKind.ACI, "aks": ServiceKind.AKS}


async def inventory(
    rest: AzureRest, workspace: Workspace, installation: str
) -> AzureServices:
    """Return everything that serves. Raises TargetError if neither list can be had."""
    v1, v2 = await asyncio.gather(
        _items(listed_services(rest, workspace)), _items(_endpoints(rest, workspace))
    )
    if isinstance(v1, TargetError) and isinstance(v2, TargetError):
        raise v1
    services: list[AzureService] = []
    problems: list[str] = []
    for found, read, what in (
        (v1, _web_service, "v1 web services"),
        (v2, _endpoint, "online endpoints"),
    ):
        if isinstance(found, TargetError):
            failure = found.failure
            problems.append(f"The {what} could not be listed: {failure.message}")
        else:
            services += [read(item, installation) for item in found]
    return AzureServices(
        items=tuple(sorted(services, key=lambda each: each.name)),
        problems=tuple(problems),
    )


async def _items(listing: Awaitable[list[Any]]) -> list[Any] | TargetError:
    try:
        return await listing
    except TargetError as error:
        return error


async def _endpoints(rest: AzureRest, workspace: Workspace) -> list[Any]:
    path = f"{workspace_path(azure_identity(workspace))}/onlineEndpoints"
    return await rest.listed(workspace, Call(path=path, query=WORKSPACE_API))


def _web_service(item: object, installation: str) -> AzureService:
    kind = _KINDS.get(str(at(item, "computeType")).lower(), ServiceKind.UNKNOWN)
    return AzureService(
        kind=kind,
        name=_text(item, "name") or "",
        state=_text(item, "state"),
        scoring_uri=_text(item, "scoringUri"),
        problem=_problem(item, kind),
        **_ownership(at(item, "kvTags"), installation),
    )


def _endpoint(item: object, installation: str) -> AzureService:
    is_on_cluster = bool(at(item, "properties", "compute"))
    kind = ServiceKind.KUBERNETES if is_on_cluster else ServiceKind.MANAGED
    return AzureService(
        kind=kind,
        name=_text(item, "name") or "",
        state=_text(item, "properties", "provisioningState"),
        scoring_uri=_text(item, "properties", "scoringUri"),
        problem=_problem(item, kind),
        **_ownership(at(item, "tags"), installation),
    )


def _ownership(tags: object, installation: str) -> dict[str, Any]:
    """Return whose it is by its tags; only our own mark names a deployment."""
    if _text(tags, INSTALLATION_TAG) != installation:
        return {"managed_by": ManagedBy.OTHER}
    deployment = _text(tags, DEPLOYMENT_TAG)
    return {"managed_by": ManagedBy.SLIPWAY, "deployment": deployment}


def _problem(item: object, kind: ServiceKind) -> str | None:
    if not isinstance(item, dict):
        return "Azure lists something here that is no service."
    if not _text(item, "name"):
        return "Azure tells no name of it."
    if kind is ServiceKind.UNKNOWN:
        return "It is of a kind that Slipway does not know."
    return None


def _text(item: object, *names: str) -> str | None:
    """Return the text at a path of names, fit to be shown; None if there is none."""
    value = at(item, *names)
    return plain_text(value, longest=_LONGEST) if isinstance(value, str) else None
