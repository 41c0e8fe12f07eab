"""Which rights at Azure Slipway needs, and which of them a credential lacks.

The actions are those that Microsoft names for MLflow models and v1 web services
(how-to-assign-roles); docs/azure.md has the role that consists of them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any

_WORKSPACES = "Microsoft.MachineLearningServices/workspaces"


class Scope(StrEnum):
    """On what an action is needed."""

    WORKSPACE = "workspace"
    GROUP = "resource group"


@dataclass(frozen=True, kw_only=True, slots=True)
class WantedAction:
    """An action and what Slipway does with it; one for v2 alone is not required."""

    action: str
    purpose: str
    scope: Scope = Scope.WORKSPACE
    is_required: bool = True


WANTED_ACTIONS: tuple[WantedAction, ...] = (
    WantedAction(action=f"{_WORKSPACES}/read", purpose="find the workspace"),
    WantedAction(
        action=f"{_WORKSPACES}/experiments/*", purpose="read runs and their models"
    ),
    WantedAction(
        action=f"{_WORKSPACES}/jobs/*",
        purpose="read the runs of v2 jobs",
        is_required=False,
    ),
    WantedAction(
        action=f"{_WORKSPACES}/models/*/read", purpose="read registered models"
    ),
    WantedAction(action=f"{_WORKSPACES}/models/*/write", purpose="register models"),
    WantedAction(
        action=f"{_WORKSPACES}/models/*/delete",
        purpose="remove a version that was registered twice",
        is_required=False,
    ),
    WantedAction(
        action=f"{_WORKSPACES}/environments/write", purpose="describe the image"
    ),
    WantedAction(
        action=f"{_WORKSPACES}/environments/build/action", purpose="build the image"
    ),
    WantedAction(
        action=f"{_WORKSPACES}/environments/readSecrets/action",
        purpose="reach the container registry",
    ),
    WantedAction(action=f"{_WORKSPACES}/services/aci/write", purpose="deploy to ACI"),
    WantedAction(action=f"{_WORKSPACES}/services/aks/write", purpose="deploy to AKS"),
    WantedAction(
        action=f"{_WORKSPACES}/services/aks/listkeys/action",
        purpose="hand out the keys of a service on AKS",
    ),
    WantedAction(
        action=f"{_WORKSPACES}/services/aks/score/action",
        purpose="hand out the tokens of a service on AKS",
    ),
    WantedAction(
        action="Microsoft.ContainerInstance/containerGroups/write",
        purpose="start the containers of ACI",
        scope=Scope.GROUP,
    ),
    WantedAction(
        action=f"{_WORKSPACES}/computes/write",
        purpose="create, attach or remove clusters",
        is_required=False,
    ),
    WantedAction(
        action=f"{_WORKSPACES}/onlineEndpoints/*",
        purpose="deploy to online endpoints",
        is_required=False,
    ),
)


def missing(permissions: object, scope: Scope) -> Iterator[WantedAction]:
    """Yield the wanted actions that a listing of ARM's permissions does not grant."""
    entries = permissions if isinstance(permissions, list) else []
    for wanted in WANTED_ACTIONS:
        if wanted.scope is scope and not any(
            _grants(entry, wanted.action) for entry in entries
        ):
            yield wanted


def _grants(entry: object, action: str) -> bool:
    """Say whether one role assignment grants `action`: its own exceptions count."""
    if not isinstance(entry, dict):
        return False
    return _matches(entry.get("actions"), action) and not _matches(
        entry.get("notActions"), action
    )


def _matches(patterns: Any, action: str) -> bool:  # noqa: ANN401 - Azure's own JSON
    return isinstance(patterns, list) and any(
        isinstance(pattern, str) and fnmatchcase(action.lower(), pattern.lower())
        for pattern in patterns
    )
