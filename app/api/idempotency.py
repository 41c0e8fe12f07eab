"""The Idempotency-Key of a request, tied to what was asked with it."""

import hashlib
import re
from typing import Annotated

from fastapi import Depends, Header, Request
from pydantic_core import to_json

from app.api.body import JsonRequest
from app.core.errors import FieldProblem, IdempotencyKeyMissingError, InvalidError
from app.core.principal import Principal
from app.storage.idempotency import IdempotencyKey

_VISIBLE = re.compile(r"[!-~]{1,255}")
_POINTER = "/header/idempotency-key"

_Given = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        description=(
            "1 to 255 visible ASCII characters, new for each request. The same key "
            "and body get the first answer again for 7 days."
        ),
    ),
]


async def _optional(request: Request, given: _Given = None) -> IdempotencyKey | None:
    if given is None:
        return None
    if not _VISIBLE.fullmatch(given):
        problem = FieldProblem(
            pointer=_POINTER,
            code="bad_idempotency_key",
            detail="must be 1 to 255 visible ASCII characters",
        )
        raise InvalidError("The Idempotency-Key cannot be used.", fields=[problem])
    caller: Principal = request.state.principal
    return IdempotencyKey(
        project=caller.project,
        principal=caller.id,
        key=given,
        fingerprint=_fingerprint(request),
    )


OptionalKey = Annotated[IdempotencyKey | None, Depends(_optional)]


def require(key: IdempotencyKey | None) -> IdempotencyKey:
    """Return `key`, or raise IdempotencyKeyMissingError."""
    if key is None:
        problem = FieldProblem(pointer=_POINTER, code="missing", detail="is required")
        raise IdempotencyKeyMissingError(
            "A POST that creates needs an Idempotency-Key.", fields=[problem]
        )
    return key


async def _required(key: OptionalKey) -> IdempotencyKey:
    return require(key)


RequiredKey = Annotated[IdempotencyKey, Depends(_required)]


def _fingerprint(request: Request) -> str:
    """Return a hash of method, path, query and body, whatever the body's layout."""
    body = request.parsed if isinstance(request, JsonRequest) else None
    told = [
        request.method,
        request.url.path,
        sorted(request.query_params.multi_items()),
        _sorted(body),
    ]
    return hashlib.sha256(to_json(told)).hexdigest()


def _sorted(value: object) -> object:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    if isinstance(value, list):
        return [_sorted(item) for item in value]
    return value
