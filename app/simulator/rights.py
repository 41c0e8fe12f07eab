"""What the caller may do: the permissions that ARM lists, and the 403 without them."""

import fnmatch
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from app.simulator.errors import AzureError
from app.simulator.world import World

_READ = frozenset({"GET", "HEAD"})
_ML = "Microsoft.MachineLearningServices/workspaces"
_ONE = r"/workspaces/[^/]+"
_KINDS = ("aci", "aks")
_WORKSPACE_READ = f"{_ML}/read"
_KEY_ACTIONS: Mapping[str, str] = MappingProxyType(
    {"listkeys": "listkeys/action", "token": "score/action"}
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Permission:
    """One entry of the listing, as a role assignment adds it."""

    actions: tuple[str, ...]
    not_actions: tuple[str, ...] = ()

    def state(self) -> dict[str, object]:
        """Return it as ARM writes it."""
        return {
            "actions": list(self.actions),
            "notActions": list(self.not_actions),
            "dataActions": [],
            "notDataActions": [],
        }

    def allows(self, action: str) -> bool:
        """Tell whether this entry alone grants `action`."""
        return _matches(action, self.actions) and not _matches(action, self.not_actions)


class Rights:
    """The callers' rights; everything at the start, as an Owner has."""

    def __init__(self, _: World) -> None:
        self._permissions: tuple[Permission, ...] = (Permission(actions=("*",)),)

    def replace(self, permissions: tuple[Permission, ...]) -> None:
        """Let these be all rights from now on."""
        self._permissions = permissions

    def permissions(self) -> list[dict[str, object]]:
        """Return the listing as ARM writes it."""
        return [permission.state() for permission in self._permissions]

    def check(self, method: str, path: str, object_id: str) -> None:
        """Refuse a request whose action no entry grants."""
        needed = needed_actions(method, path)
        if not needed or any(self._allow(action) for action in needed):
            return
        scope = path[path.lower().find("/subscriptions/") :]
        raise AzureError(
            403,
            "AuthorizationFailed",
            f"The client '{object_id}' with object id '{object_id}' does not have "
            f"authorization to perform action '{needed[0]}' over scope "
            f"'{scope}' or the scope is invalid. "
            "If access was recently granted, please refresh your credentials.",
        )

    def _allow(self, action: str) -> bool:
        return any(permission.allows(action) for permission in self._permissions)


def needed_actions(method: str, path: str) -> tuple[str, ...]:
    """Return the actions of which one is needed; none for what is open to everybody.

    A path says nothing of a service's kind, so either kind's right is enough.
    """
    for pattern, kind in _RULES:
        if re.search(pattern, path, re.IGNORECASE):
            return kind(method, path)
    return ()


def _workspace(method: str, _: str) -> tuple[str, ...]:
    return (f"{_ML}/{_verb(method)}",)


def _computes(method: str, _: str) -> tuple[str, ...]:
    name = "listKeys/action" if method == "POST" else _verb(method)
    actions = (f"{_ML}/computes/{name}",)
    return (*actions, _WORKSPACE_READ) if method in _READ else actions


def _services(method: str, path: str) -> tuple[str, ...]:
    last = path.rstrip("/").rpartition("/")[2].lower()
    name = _KEY_ACTIONS.get(last, _verb(method)) if method == "POST" else _verb(method)
    # Published roles have no right to read or delete a service, and their holders do
    # both: the right to read the workspace, or to write the service, is enough.
    enough = "read" if method in _READ else "write"
    named = tuple(f"{_ML}/services/{kind}/{name}" for kind in _KINDS)
    wider = tuple(f"{_ML}/services/{kind}/{enough}" for kind in _KINDS)
    return (*named, *wider, _WORKSPACE_READ) if enough == "read" else (*named, *wider)


def _models(method: str, path: str) -> tuple[str, ...]:
    verb = "read" if "search" in path or "get-latest" in path else _verb(method)
    # Published roles write `models/*/read`, which `models/read` does not match.
    return f"{_ML}/models/{verb}", f"{_ML}/models/versions/{verb}"


def _experiments(method: str, path: str) -> tuple[str, ...]:
    kind = "runs" if "/runs" in path else ""
    verb = "read" if "search" in path else _verb(method)
    return (f"{_ML}/experiments/{kind}/{verb}".replace("//", "/"),)


def _registry(method: str, _: str) -> tuple[str, ...]:
    return (f"Microsoft.ContainerRegistry/registries/{_verb(method)}",)


_RULES = (
    (rf"{_ONE}/computes", _computes),
    (rf"^/modelmanagement/.*{_ONE}/services", _services),
    (rf"^/modelmanagement/.*{_ONE}/models", _models),
    (r"^/mlflow/.*/(registered-models|model-versions)/", _models),
    (r"^/mlflow/.*/(experiments|runs)/", _experiments),
    (r"/Microsoft\.ContainerRegistry/registries/[^/]+$", _registry),
    (rf"^/subscriptions/.*{_ONE}$", _workspace),
)


def _verb(method: str) -> str:
    if method in _READ:
        return "read"
    return "delete" if method == "DELETE" else "write"


def _matches(action: str, patterns: tuple[str, ...]) -> bool:
    return any(
        fnmatch.fnmatchcase(action.lower(), pattern.lower()) for pattern in patterns
    )
