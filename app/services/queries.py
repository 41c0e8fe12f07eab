"""Ask a worker something and wait for the answer: what only a target can tell."""

import json
from collections.abc import Mapping
from typing import Any

from app.core.errors import (
    AppError,
    AuthDisabledError,
    NotFoundError,
    NotServingError,
    NotSupportedError,
    TimedOutError,
    UnresolvedModelError,
    UpstreamError,
)
from app.core.principal import Principal
from app.services import tasks
from app.services.context import Context
from app.storage import jobs, queries
from app.storage.notifications import wait

# API.md and DESIGN 1.6: 504 after 30 s.
TIMEOUT_SECONDS = 30.0
# A lost NOTIFY costs no more than this.
_LOOK_AGAIN_SECONDS = 5.0

# How a worker's refusal becomes an answer to the caller, by the error's code.
_ERRORS: Mapping[str, type[AppError]] = {
    kind.code: kind
    for kind in (
        AuthDisabledError,
        NotFoundError,
        NotServingError,
        NotSupportedError,
        UnresolvedModelError,
        UpstreamError,
    )
}


async def ask(
    context: Context, kind: str, question: Mapping[str, Any], *, principal: Principal
) -> Any:  # noqa: ANN401
    """Return a worker's answer to `question`; no trace of it is kept.

    Raises TimedOutError after 30 s, and what the worker refused as it was meant.
    """
    query_id = context.ids.new("qry")
    token = context.cipher.encrypt(query_id, json.dumps(dict(question)).encode())
    with context.listener.subscribed(queries.CHANNEL, query_id) as answered:
        async with context.database.transaction() as tx:
            await queries.ask(
                tx,
                query_id,
                kind=kind,
                question=token,
                project=principal.project,
                created_by=principal.name,
            )
            await jobs.defer(tx, [tasks.answer(query_id)])
        deadline = context.clock.monotonic() + TIMEOUT_SECONDS
        while (left := deadline - context.clock.monotonic()) > 0:
            await wait(answered, seconds=min(left, _LOOK_AGAIN_SECONDS))
            async with context.database.transaction() as tx:
                answer = await queries.take(tx, query_id)
            if answer is not None:
                return _read(context, query_id, answer)
    async with context.database.transaction() as tx:
        await queries.forget(tx, query_id)
    raise TimedOutError(f"No worker answered within {TIMEOUT_SECONDS:.0f} s.")


def reply(context: Context, query_id: str, answer: Any) -> bytes:  # noqa: ANN401
    """Return `answer` as it is stored until it is read."""
    return _seal(context, query_id, {"answer": answer})


def refusal(
    context: Context, query_id: str, *, code: str, detail: str, remedy: str
) -> bytes:
    """Return a refusal as it is stored until it is read."""
    refused = {"code": code, "detail": detail, "remedy": remedy}
    return _seal(context, query_id, {"refused": refused})


def read_question(context: Context, query_id: str, token: bytes) -> dict[str, Any]:
    """Return the question that `ask` stored."""
    return dict(json.loads(context.cipher.decrypt(query_id, token)))


def _seal(context: Context, query_id: str, content: Mapping[str, Any]) -> bytes:
    return context.cipher.encrypt(query_id, json.dumps(content).encode())


def _read(context: Context, query_id: str, token: bytes) -> Any:  # noqa: ANN401
    content = json.loads(context.cipher.decrypt(query_id, token))
    refused = content.get("refused")
    if refused is None:
        return content["answer"]
    kind = _ERRORS.get(refused["code"], UpstreamError)
    raise kind(refused["detail"], remedy=refused["remedy"])
