"""The checks of a workspace that is there: each looks, none changes a thing."""

from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from app.core.azure_view import CheckName, CheckResult, CheckStatus, QuotaUsage
from app.core.workspace import Workspace
from app.targets.azure_answer import at
from app.targets.azure_call import Call, Host
from app.targets.azure_paths import (
    WORKSPACE_API,
    azure_identity,
    group_path,
    workspace_path,
)
from app.targets.azure_quota import quota_of
from app.targets.azure_rest import AzureRest
from app.targets.azure_rights import Scope, WantedAction, missing

_PERMISSIONS_API = {"api-version": "2022-04-01"}
_REGISTRY_API = {"api-version": "2023-07-01"}
_UNREADABLE = frozenset({HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND})
_NEARLY = 0.9
# What the clusters of v1 are called at Azure.
_CLUSTERS = frozenset({"aks", "kubernetes"})
_USABLE = "succeeded"
# The quotas that a deployment to ACI or a new cluster uses up.
_TELLING_QUOTAS = frozenset({"standardcores", "containergroups", "cores"})


async def check_mlflow(rest: AzureRest, workspace: Workspace) -> CheckResult:
    """Say whether the workspace's MLflow server lets itself be read."""
    path = f"/mlflow/v2.0{workspace_path(azure_identity(workspace))}/api/2.0/mlflow"
    calls = (
        Call(
            path=f"{path}/experiments/search",
            method="POST",
            host=Host.REGIONAL,
            body={"max_results": 1},
            is_read=True,
        ),
        Call(
            path=f"{path}/registered-models/search",
            host=Host.REGIONAL,
            query={"max_results": "1"},
        ),
    )
    for call in calls:
        await rest.send(workspace, call)
    return _ok(CheckName.MLFLOW, "Experiments and registered models can be read.")


async def check_permissions(rest: AzureRest, workspace: Workspace) -> CheckResult:
    """Name every action that Slipway needs and the credential lacks."""
    identity = azure_identity(workspace)
    places = {
        Scope.WORKSPACE: workspace_path(identity),
        Scope.GROUP: group_path(identity),
    }
    lacking: list[WantedAction] = []
    for scope, path in places.items():
        call = Call(
            path=f"{path}/providers/Microsoft.Authorization/permissions",
            query=_PERMISSIONS_API,
        )
        lacking += missing(await rest.listed(workspace, call), scope)
    if not lacking:
        return _ok(CheckName.PERMISSIONS, "No action is missing.")
    is_required = any(wanted.is_required for wanted in lacking)
    return CheckResult(
        name=CheckName.PERMISSIONS,
        status=CheckStatus.FAILED if is_required else CheckStatus.WARNING,
        detail=f"Missing: {', '.join(_told(wanted) for wanted in lacking)}.",
        remedy="Grant the credential's identity a role with these actions on the "
        "workspace and its resource group; AzureML Data Scientist has most of them.",
    )


async def check_registry(
    rest: AzureRest, workspace: Workspace, document: Mapping[str, Any]
) -> CheckResult:
    """Say whether the container registry of the workspace can give out its images."""
    if not document:
        return CheckResult(
            name=CheckName.CONTAINER_REGISTRY,
            status=CheckStatus.SKIPPED,
            detail="Not checked: the workspace, which names it, cannot be read.",
        )
    registry = at(document, "properties", "containerRegistry")
    if not isinstance(registry, str) or not registry.startswith("/subscriptions/"):
        return _warning(
            CheckName.CONTAINER_REGISTRY,
            "The workspace has no container registry yet.",
            "Nothing: Azure makes one with the first image. If a policy forbids that, "
            "attach one to the workspace.",
        )
    call = Call(path=registry, query=_REGISTRY_API, accepts=_UNREADABLE)
    answer = await rest.send(workspace, call)
    name = registry.rpartition("/")[2]
    match answer.status:
        case HTTPStatus.NOT_FOUND:
            return _failed(
                CheckName.CONTAINER_REGISTRY,
                f"The container registry {name!r} of the workspace does not exist.",
                "Attach an existing registry: az ml workspace update "
                "--container-registry <id> --update-dependent-resources.",
            )
        case HTTPStatus.FORBIDDEN:
            return _warning(
                CheckName.CONTAINER_REGISTRY,
                f"The credential may not look at the container registry {name!r}.",
                "Grant it Reader on the registry if this is to be checked; deploying "
                "does not need it.",
            )
        case _:
            return _judged_registry(name, answer.body)


def _judged_registry(name: str, document: object) -> CheckResult:
    if at(document, "properties", "adminUserEnabled") is not True:
        return _failed(
            CheckName.CONTAINER_REGISTRY,
            f"The admin user of the container registry {name!r} is off; ACI cannot "
            "fetch images without it.",
            f"az acr update --name {name} --admin-enabled true",
        )
    return _ok(CheckName.CONTAINER_REGISTRY, f"The registry {name!r} can be used.")


async def check_quota(rest: AzureRest, workspace: Workspace) -> CheckResult:
    """Name the quotas that are used up, or nearly so."""
    usages = await quota_of(rest, workspace)
    telling = [usage for usage in usages if usage.name.lower() in _TELLING_QUOTAS]
    full = [usage for usage in telling if _is_nearly_full(usage)]
    if not full:
        return _ok(CheckName.QUOTA, f"None of {len(telling)} quotas is nearly used up.")
    told = ", ".join(f"{each.family} {each.used}/{each.limit}" for each in full)
    return _warning(
        CheckName.QUOTA,
        f"Nearly or wholly used up: {told}.",
        "Ask for more in the Azure portal (Quotas), or delete what is not used.",
    )


async def check_clusters(rest: AzureRest, workspace: Workspace) -> CheckResult:
    """Name the clusters of the workspace that cannot be deployed to."""
    path = f"{workspace_path(azure_identity(workspace))}/computes"
    computes = await rest.listed(workspace, Call(path=path, query=WORKSPACE_API))
    clusters = [each for each in computes if _is_cluster(each)]
    if not clusters:
        return _ok(
            CheckName.CLUSTERS, "There is no cluster; ACI can be deployed to alone."
        )
    broken = [each for each in clusters if not _is_usable(each)]
    if not broken:
        return _ok(CheckName.CLUSTERS, f"Clusters ready: {_names(clusters)}.")
    return _warning(
        CheckName.CLUSTERS,
        f"Not ready: {_names(broken)}.",
        "Read provisioning_errors of the cluster; delete or detach one that failed and "
        "create or attach it anew.",
    )


def _told(wanted: WantedAction) -> str:
    return f"{wanted.action} ({wanted.purpose}, on the {wanted.scope})"


def _is_nearly_full(usage: QuotaUsage) -> bool:
    return usage.limit is not None and usage.used >= usage.limit * _NEARLY


def _is_cluster(compute: object) -> bool:
    return str(at(compute, "properties", "computeType")).lower() in _CLUSTERS


def _is_usable(compute: object) -> bool:
    return str(at(compute, "properties", "provisioningState")).lower() == _USABLE


def _names(computes: Sequence[object]) -> str:
    told: Iterable[str] = (
        f"{at(each, 'name')} ({at(each, 'properties', 'provisioningState')})"
        for each in computes
    )
    return ", ".join(told)


def _ok(name: CheckName, detail: str) -> CheckResult:
    return CheckResult(name=name, status=CheckStatus.OK, detail=detail)


def _warning(name: CheckName, detail: str, remedy: str) -> CheckResult:
    return CheckResult(
        name=name, status=CheckStatus.WARNING, detail=detail, remedy=remedy
    )


def _failed(name: CheckName, detail: str, remedy: str) -> CheckResult:
    return CheckResult(
        name=name, status=CheckStatus.FAILED, detail=detail, remedy=remedy
    )
