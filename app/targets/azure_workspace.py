"""Looks at an Azure ML workspace for people: checks, quota, and what serves there."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from app.core.azure_view import (
    AzureServices,
    CheckName,
    CheckResult,
    CheckStatus,
    QuotaUsage,
)
from app.core.failure import FailureCode, TargetError
from app.core.workspace import AzureMlWorkspace, Workspace
from app.targets.azure_answer import at
from app.targets.azure_call import Call
from app.targets.azure_checks import (
    check_clusters,
    check_mlflow,
    check_permissions,
    check_quota,
    check_registry,
)
from app.targets.azure_inventory import inventory
from app.targets.azure_paths import WORKSPACE_API, azure_identity, workspace_path
from app.targets.azure_quota import quota_of
from app.targets.azure_rest import AzureRest
from app.targets.tokens import TokenSource

# Three in a row stay below the time in which a caller is answered.
_LONGEST_SECONDS = 8.0
_NOT_FOUND = frozenset({HTTPStatus.NOT_FOUND})
_READY = frozenset({"succeeded", "updating"})
# Looked at for people: ACI is deployed to without the right to read either, and
# quotas are the subscription's, beyond a role on the resource group.
_FOR_PEOPLE = frozenset({CheckName.QUOTA, CheckName.CLUSTERS})

Check = Callable[[], Awaitable[CheckResult]]


@dataclass(slots=True)
class _Lookup:
    """What the check of the workspace found; no document if it may not be read."""

    document: Mapping[str, Any] | None = None
    is_missing: bool = False


class WorkspaceInspector:
    """Looks at workspaces, changes nothing, and answers in seconds."""

    def __init__(self, rest: AzureRest, tokens: TokenSource) -> None:
        self._rest = rest
        self._tokens = tokens

    async def check(self, workspace: Workspace) -> tuple[CheckResult, ...]:
        """Return one result for each CheckName, in its order; never raises for Azure.

        A check that needs what another one did not find is skipped.
        """
        identity = workspace.identity
        if not isinstance(identity, AzureMlWorkspace):
            return tuple(
                _skipped(name, "the workspace is not one of Azure ML")
                for name in CheckName
            )
        signed_in = await _bounded(
            CheckName.SIGN_IN, lambda: self._check_sign_in(identity)
        )
        if signed_in.status is CheckStatus.FAILED:
            return signed_in, *_skipped_after(signed_in)
        lookup = _Lookup()
        found = await _bounded(
            CheckName.WORKSPACE,
            lambda: self._check_workspace(workspace, identity, lookup),
        )
        if lookup.is_missing:
            return signed_in, found, *_skipped_after(found)
        return signed_in, found, *await self._check_rest(workspace, lookup)

    async def quota(self, workspace: Workspace) -> tuple[QuotaUsage, ...]:
        """Return the usages of the workspace's region, the fullest first.

        Raises TargetError; NotSupportedError for another kind of workspace.
        """
        return await quota_of(self._rest, workspace)

    async def services(
        self, workspace: Workspace, *, installation: str
    ) -> AzureServices:
        """Return what serves there, and by its mark which of it is `installation`'s.

        Raises TargetError if nothing could be listed; NotSupportedError for another
        kind of workspace.
        """
        return await inventory(self._rest, workspace, installation)

    async def _check_rest(
        self, workspace: Workspace, lookup: _Lookup
    ) -> list[CheckResult]:
        """Run the other checks at once, also where the workspace may not be read."""
        rest, document = self._rest, lookup.document or {}
        checks: Mapping[CheckName, Check] = {
            CheckName.MLFLOW: lambda: check_mlflow(rest, workspace),
            CheckName.PERMISSIONS: lambda: check_permissions(rest, workspace),
            CheckName.CONTAINER_REGISTRY: lambda: check_registry(
                rest, workspace, document
            ),
            CheckName.QUOTA: lambda: check_quota(rest, workspace),
            CheckName.CLUSTERS: lambda: check_clusters(rest, workspace),
        }
        return await asyncio.gather(
            *(_bounded(name, check) for name, check in checks.items())
        )

    async def _check_sign_in(self, identity: AzureMlWorkspace) -> CheckResult:
        await self._tokens.token(identity)
        return CheckResult(
            name=CheckName.SIGN_IN,
            status=CheckStatus.OK,
            detail=f"The credential {identity.credential!r} signs in.",
        )

    async def _check_workspace(
        self,
        workspace: Workspace,
        identity: AzureMlWorkspace,
        lookup: _Lookup,
    ) -> CheckResult:
        """Look the workspace up, and put what is found into `lookup`."""
        call = Call(
            path=workspace_path(azure_identity(workspace)),
            query=WORKSPACE_API,
            accepts=_NOT_FOUND,
        )
        answer = await self._rest.send(workspace, call)
        if not answer.is_success or not isinstance(answer.body, dict):
            lookup.is_missing = True
            return CheckResult(
                name=CheckName.WORKSPACE,
                status=CheckStatus.FAILED,
                detail="There is no such workspace that the credential can see.",
                remedy="Check subscription_id, resource_group, workspace_name and "
                "cloud, and that the credential's identity has a role on it.",
            )
        lookup.document = answer.body
        return _judged(answer.body, identity)


def _judged(document: Mapping[str, Any], identity: AzureMlWorkspace) -> CheckResult:
    """Say whether the workspace is ready and where its declaration says."""
    region = str(document.get("location", "")).replace(" ", "").lower()
    state = str(at(document, "properties", "provisioningState"))
    if region != identity.region:
        return CheckResult(
            name=CheckName.WORKSPACE,
            status=CheckStatus.FAILED,
            detail=f"The workspace is in {region!r}, not in {identity.region!r}.",
            remedy=f"Declare the workspace with region {region!r}.",
        )
    if state.lower() not in _READY:
        return CheckResult(
            name=CheckName.WORKSPACE,
            status=CheckStatus.WARNING,
            detail=f"The workspace's provisioning state is {state!r}.",
            remedy="Wait until it is Succeeded, or repair it in the Azure portal.",
        )
    return CheckResult(
        name=CheckName.WORKSPACE,
        status=CheckStatus.OK,
        detail=f"The workspace is there, in {region}.",
    )


async def _bounded(name: CheckName, check: Check) -> CheckResult:
    """Return the check's result, a failed one if Azure refuses or takes too long."""
    try:
        async with asyncio.timeout(_LONGEST_SECONDS):
            return await check()
    except TargetError as error:
        failure = error.failure
        detail = f"{failure.message} {failure.cause or ''}".strip()
        is_refused = failure.code is FailureCode.PERMISSION_DENIED
        may_go_on = is_refused and name in _FOR_PEOPLE
        return CheckResult(
            name=name,
            status=CheckStatus.WARNING if may_go_on else CheckStatus.FAILED,
            detail=detail,
            remedy=failure.remedy,
        )
    except TimeoutError:
        return CheckResult(
            name=name,
            status=CheckStatus.FAILED,
            detail=f"Azure did not answer in {_LONGEST_SECONDS:g} seconds.",
            remedy="Check that the worker reaches Azure (HTTPS_PROXY, firewall), and "
            "try again.",
        )


def _skipped_after(failed: CheckResult) -> list[CheckResult]:
    names = list(CheckName)
    return [
        _skipped(name, f"it needs the check {failed.name.value!r}")
        for name in names[names.index(failed.name) + 1 :]
    ]


def _skipped(name: CheckName, why: str) -> CheckResult:
    return CheckResult(
        name=name, status=CheckStatus.SKIPPED, detail=f"Not checked: {why}."
    )
