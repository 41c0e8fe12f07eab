"""What Azure tells of a workspace: checks, quota, and all that serves there."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter

from app.core.azure_view import AzureServices, CheckResult, QuotaUsage
from app.core.principal import Principal, Scope
from app.services import queries
from app.services.context import Context
from app.services.deployments import granted
from app.storage import deployments

_CHECKS = TypeAdapter(tuple[CheckResult, ...])
_QUOTA = TypeAdapter(tuple[QuotaUsage, ...])
_SERVICES = TypeAdapter(AzureServices)


async def check(
    context: Context, workspace: str, *, principal: Principal
) -> tuple[CheckResult, ...]:
    """Return how each read-only check of the workspace ended, in order."""
    answer = await _ask(context, "check", workspace, principal=principal)
    return _CHECKS.validate_python(answer)


async def quota(
    context: Context, workspace: str, *, principal: Principal
) -> tuple[QuotaUsage, ...]:
    """Return what of the region's quotas is used, the fullest first."""
    answer = await _ask(context, "quota", workspace, principal=principal)
    return _QUOTA.validate_python(answer)


async def services(
    context: Context, workspace: str, *, principal: Principal
) -> AzureServices:
    """Return all that serves in the workspace, whoever made it.

    The deployment of a service is named to its own project, and to an admin.
    """
    answer = await _ask(context, "services", workspace, principal=principal)
    found = _SERVICES.validate_python(answer)
    named = [one.deployment for one in found.items if one.deployment is not None]
    if Scope.ADMIN in principal.scopes or not named:
        return found
    async with context.database.reading() as connection:
        own = await deployments.of_project(connection, named, project=principal.project)
    items = tuple(
        one if one.deployment in own else dataclasses.replace(one, deployment=None)
        for one in found.items
    )
    return dataclasses.replace(found, items=items)


async def _ask(
    context: Context, kind: str, workspace: str, *, principal: Principal
) -> Any:  # noqa: ANN401
    async with context.database.reading() as connection:
        await granted(connection, workspace, principal=principal)
    question: Mapping[str, str] = {"workspace": workspace}
    return await queries.ask(context, kind, question, principal=principal)
