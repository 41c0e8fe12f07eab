"""A workspace's v1 web services as its model management tells of them.

What one of them looks like is other people's doing too: an item that is no service is
left out, never an error of the whole list (azure.md, trap 19).
"""

from dataclasses import dataclass
from typing import Any

from app.core.workspace import Workspace
from app.targets.azure_call import Call, Host
from app.targets.azure_paths import (
    azure_identity,
    model_management_path,
    operation_path,
    service_path,
)
from app.targets.azure_rest import AzureRest

_NOT_FOUND = frozenset({404})
_LIST_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Service:
    """One service: Azure's own document and what everybody asks of it."""

    document: dict[str, Any]

    @property
    def name(self) -> str:
        """Return its name, empty if it has none."""
        return _text(self.document, "name")

    @property
    def state(self) -> str:
        """Return Azure's word for its state, empty if it has none."""
        return _text(self.document, "state")

    @property
    def operation(self) -> str:
        """Return the id of its latest operation, empty if it names none."""
        return _text(self.document, "operationId").rpartition("/")[2]

    @property
    def is_in_transition(self) -> bool:
        """Say whether Azure is still at work on it, as far as its state tells."""
        return self.state.lower() in {"", "transitioning"}

    @property
    def tags(self) -> dict[str, str]:
        """Return its tags, those that are text."""
        tags = self.document.get("kvTags")
        if not isinstance(tags, dict):
            return {}
        return {name: text for name, text in tags.items() if isinstance(text, str)}


async def listed_services(rest: AzureRest, workspace: Workspace) -> list[Any]:
    """Return every item of the list as Azure wrote it. Raises TargetError."""
    call = Call(
        path=f"{model_management_path(azure_identity(workspace))}/services",
        host=Host.REGIONAL,
        timeout_seconds=_LIST_SECONDS,
    )
    return await rest.listed(workspace, call)


async def services(rest: AzureRest, workspace: Workspace) -> list[Service]:
    """Return every service of the workspace that has a name. Raises TargetError."""
    items = await listed_services(rest, workspace)
    listed = [Service(item) for item in items if isinstance(item, dict)]
    return [service for service in listed if service.name]


async def find_service(
    rest: AzureRest, workspace: Workspace, name: str
) -> Service | None:
    """Return the service as it is in this moment, None if there is none.

    Raises TargetError if Azure could not be asked.
    """
    call = Call(
        path=service_path(azure_identity(workspace), name),
        host=Host.REGIONAL,
        accepts=_NOT_FOUND,
    )
    answer = await rest.send(workspace, call)
    if not answer.is_success or not isinstance(answer.body, dict):
        return None
    return Service(answer.body)


async def find_operation(
    rest: AzureRest, workspace: Workspace, operation: str
) -> dict[str, Any] | None:
    """Return an operation's document, None if Azure has forgotten it."""
    call = Call(
        path=operation_path(azure_identity(workspace), operation),
        host=Host.REGIONAL,
        accepts=_NOT_FOUND,
    )
    answer = await rest.send(workspace, call)
    if not answer.is_success or not isinstance(answer.body, dict):
        return None
    return answer.body


def _text(document: dict[str, Any], name: str) -> str:
    value = document.get(name)
    return value if isinstance(value, str) else ""
