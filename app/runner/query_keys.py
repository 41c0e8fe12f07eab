"""Answer what an endpoint asks its callers for, while somebody waits."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from pydantic import TypeAdapter

from app.core.errors import AuthDisabledError, NotServingError
from app.core.target import Handle, ScoringKeys, ScoringToken, SupportsKeys
from app.runner.work import Work
from app.storage import revisions

_KEYS = TypeAdapter(ScoringKeys)
_TOKEN = TypeAdapter(ScoringToken)

Question = Mapping[str, Any]


class KeyAnswers:
    """Asks the target of a revision for its keys or a token; keeps neither."""

    def __init__(self, work: Work) -> None:
        self._work = work

    def kinds(self) -> Mapping[str, Callable[[Question], Awaitable[Any]]]:
        """Return what answers which kind of query."""
        return {"keys": self.keys, "token": self.token}

    async def keys(self, question: Question) -> Any:  # noqa: ANN401
        """Return both keys of a revision's endpoint."""
        target, handle = await self._found(question)
        return _KEYS.dump_python(await target.keys(handle), mode="json")

    async def token(self, question: Question) -> Any:  # noqa: ANN401
        """Return a token for a revision's endpoint."""
        target, handle = await self._found(question)
        return _TOKEN.dump_python(await target.scoring_token(handle), mode="json")

    async def _found(self, question: Question) -> tuple[SupportsKeys, Handle]:
        async with self._work.context.database.reading() as connection:
            revision = await revisions.get(
                connection, question["deployment_id"], question["revision"]
            )
        if revision.handle is None:
            raise NotServingError("The revision is not at its target any more.")
        kind = revision.spec.target.kind
        target = self._work.target(kind)
        if not isinstance(target, SupportsKeys):
            raise AuthDisabledError(f"Endpoints of the target {kind} have none.")
        return target, revision.handle
