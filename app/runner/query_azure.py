"""Answer what only Azure can tell of a workspace, while somebody waits."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from pydantic import TypeAdapter

from app.core.adoption import StandingService
from app.core.azure_view import AzureServices, CheckResult, QuotaUsage
from app.core.errors import NotSupportedError
from app.core.workspace import Workspace
from app.runner.work import Work
from app.storage import workspaces

_CHECKS = TypeAdapter(tuple[CheckResult, ...])
_QUOTA = TypeAdapter(tuple[QuotaUsage, ...])
_SERVICES = TypeAdapter(AzureServices)
_STANDING = TypeAdapter(StandingService)

_Part = TypeVar("_Part")

Question = Mapping[str, Any]


class AzureAnswers:
    """Looks at workspaces through the worker's inspector; changes nothing."""

    def __init__(self, work: Work) -> None:
        self._work = work

    def kinds(self) -> Mapping[str, Callable[[Question], Awaitable[Any]]]:
        """Return what answers which kind of query."""
        return {
            "check": self.check,
            "quota": self.quota,
            "services": self.services,
            "standing_service": self.standing_service,
        }

    async def check(self, question: Question) -> Any:  # noqa: ANN401
        """Return how each check of the workspace ended."""
        workspace = await self._workspace(question)
        found = await _present(self._work.inspector).check(workspace)
        return _CHECKS.dump_python(found, mode="json")

    async def quota(self, question: Question) -> Any:  # noqa: ANN401
        """Return the usages of the workspace's region."""
        workspace = await self._workspace(question)
        found = await _present(self._work.inspector).quota(workspace)
        return _QUOTA.dump_python(found, mode="json")

    async def services(self, question: Question) -> Any:  # noqa: ANN401
        """Return all that serves in the workspace."""
        workspace = await self._workspace(question)
        found = await _present(self._work.inspector).services(
            workspace, installation=self._work.installation_id
        )
        return _SERVICES.dump_python(found, mode="json")

    async def standing_service(self, question: Question) -> Any:  # noqa: ANN401
        """Return one web service as what would have made it."""
        workspace = await self._workspace(question)
        found = await _present(self._work.service_reader).read_service(
            workspace, question["name"]
        )
        return _STANDING.dump_python(found, mode="json")

    async def _workspace(self, question: Question) -> Workspace:
        async with self._work.context.database.reading() as connection:
            return await workspaces.get(connection, question["workspace"])


def _present(part: _Part | None) -> _Part:
    if part is None:
        raise NotSupportedError(
            "No worker here looks at Azure.",
            remedy="Start a worker with the targets of Azure.",
        )
    return part
