"""Answers about a workspace's computes, which only a worker can look at."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from pydantic import TypeAdapter

from app.core.cluster_view import ComputeView, view_compute
from app.core.errors import NotSupportedError
from app.runner.work import Work
from app.storage import workspaces

_VIEWS = TypeAdapter(list[ComputeView])

Question = Mapping[str, Any]


class ClusterAnswers:
    """What the interactive queue answers about computes."""

    def __init__(self, work: Work) -> None:
        self._work = work

    def kinds(self) -> Mapping[str, Callable[[Question], Awaitable[Any]]]:
        """Return each kind of question with what answers it."""
        return {"computes": self._computes}

    async def _computes(self, question: Question) -> Any:  # noqa: ANN401
        port = self._work.clusters
        if port is None:
            raise NotSupportedError("No worker here looks at Azure.")
        async with self._work.context.database.reading() as connection:
            workspace = await workspaces.get(connection, question["workspace"])
        found = [
            view_compute(
                one,
                workspace=workspace.name,
                installation=self._work.installation_id,
            )
            for one in await port.find_all(workspace)
        ]
        return _VIEWS.dump_python(found, mode="json")
