"""What a workspace's region may still give, as its resource providers tell it."""

import asyncio
from collections.abc import Iterator

from app.core.azure_view import QuotaUsage
from app.core.failure import TargetError
from app.core.workspace import Workspace
from app.targets.azure_answer import at
from app.targets.azure_call import Call
from app.targets.azure_paths import azure_identity, location_path
from app.targets.azure_rest import AzureRest

# ACI's groups and cores, Azure ML's own families, and the machines of clusters.
_PROVIDERS = {
    "Microsoft.ContainerInstance": "2023-05-01",
    "Microsoft.MachineLearningServices": "2024-04-01",
    "Microsoft.Compute": "2024-03-01",
}


async def quota_of(rest: AzureRest, workspace: Workspace) -> tuple[QuotaUsage, ...]:
    """Return the usages that can be read, the fullest first.

    Raises TargetError if none of the providers could be asked: one may be missing
    where a subscription has not registered it.
    """
    identity = azure_identity(workspace)
    calls = [
        Call(
            path=f"{location_path(identity, provider)}/usages",
            query={"api-version": version},
        )
        for provider, version in _PROVIDERS.items()
    ]
    answers = await asyncio.gather(*(_listed(rest, workspace, call) for call in calls))
    refusals = [each for each in answers if isinstance(each, TargetError)]
    if len(refusals) == len(answers):
        raise refusals[0]
    usages = [
        usage
        for each in answers
        if not isinstance(each, TargetError)
        for usage in _usages(each)
    ]
    return tuple(sorted(usages, key=_fullness, reverse=True))


async def _listed(
    rest: AzureRest, workspace: Workspace, call: Call
) -> list[object] | TargetError:
    try:
        return await rest.listed(workspace, call)
    except TargetError as error:
        return error


def _usages(items: list[object]) -> Iterator[QuotaUsage]:
    """Yield what can be read; Azure ML writes -1 for a limit that there is not."""
    for item in items:
        name, used = at(item, "name", "value"), at(item, "currentValue")
        limit, unit = at(item, "limit"), at(item, "unit")
        if not isinstance(name, str) or not isinstance(used, int):
            continue
        family = at(item, "name", "localizedValue")
        yield QuotaUsage(
            name=name,
            family=family if isinstance(family, str) else name,
            used=used,
            limit=limit if isinstance(limit, int) and limit >= 0 else None,
            unit=unit if isinstance(unit, str) else "Count",
        )


def _fullness(usage: QuotaUsage) -> float:
    """Return the used share; one without any limit to use is as good as empty."""
    return usage.used / usage.limit if usage.limit else 0.0
