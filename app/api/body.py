"""Bodies read strictly: bounded, of the right type, and JSON that means one thing."""

import json
import math
from collections.abc import Collection
from email.message import Message
from typing import Any, NoReturn

from fastapi import Request
from typing_extensions import override

from app.core.errors import MalformedError, MediaTypeError, TooLargeError

LARGEST_BODY = 64 * 1024  # bytes
DEEPEST_NESTING = 32

JSON_TYPE = "application/json"
MERGE_PATCH_TYPE = "application/merge-patch+json"


class JsonRequest(Request):
    """A request whose body was read by `read_json`, and is not read again."""

    data: bytes = b""
    parsed: Any = None

    @override
    async def body(self) -> bytes:
        """Return the bytes that `read_json` read."""
        return self.data

    @override
    async def json(self) -> Any:
        """Return the value that `read_json` read."""
        return self.parsed


async def read_limited(request: Request, limit: int) -> bytes:
    """Return the body, never holding more than `limit` bytes of it.

    Raises TooLargeError, also for a chunked body that does not say its length.
    """
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limit:
        raise _too_large(limit)
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise _too_large(limit)
        chunks.append(chunk)
    return b"".join(chunks)


async def read_json(request: Request, media_types: Collection[str]) -> JsonRequest:
    """Return `request` with its body read as one of `media_types`.

    An empty body is left to the validation. Raises TooLargeError, MediaTypeError or
    MalformedError.
    """
    data = await read_limited(request, LARGEST_BODY)
    if data and media_type(request) not in media_types:
        raise MediaTypeError(
            f"The body must be sent as {' or '.join(sorted(media_types))}.",
            remedy=f"Send `Content-Type: {JSON_TYPE}`.",
        )
    reread = JsonRequest(request.scope, request.receive)
    reread.data = data
    reread.parsed = parse_json(data) if data else None
    return reread


def media_type(request: Request) -> str:
    """Return the body's media type in lower case, without parameters; may be empty."""
    message = Message()
    message["content-type"] = request.headers.get("content-type", "")
    # Of a header that it cannot read, Message says text/plain.
    return message.get_content_type() if message["content-type"] else ""


def parse_json(data: bytes) -> Any:  # noqa: ANN401
    """Return the value of strict JSON, or raise MalformedError without quoting it.

    Refused beside bad syntax: duplicate keys, NaN and Infinity, numbers that no
    double holds, NUL and lone surrogates, more than 32 levels.
    """
    try:
        value = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_float=_finite,
            parse_constant=_not_a_number,
        )
    except UnicodeDecodeError as error:
        raise MalformedError("The body is not valid UTF-8.") from error
    except json.JSONDecodeError as error:
        raise MalformedError(
            f"The body is not valid JSON at line {error.lineno}, column {error.colno}."
        ) from error
    except RecursionError as error:
        raise _too_deep() from error
    except ValueError as error:
        # Python itself refuses integers of more than 4300 digits.
        raise MalformedError("The body holds a number that is too long.") from error
    _check(value)
    return value


def check_text(text: str) -> None:
    """Raise MalformedError if `text` holds what no database column takes."""
    if "\0" in text:
        raise MalformedError("The request holds a NUL character.")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise MalformedError("The request holds a lone surrogate.") from error


def _check(value: object) -> None:
    pending = [(value, 0)]
    while pending:
        current, depth = pending.pop()
        if isinstance(current, str):
            check_text(current)
            continue
        if isinstance(current, dict):
            pending.extend((key, depth) for key in current)
            children = list(current.values())
        elif isinstance(current, list):
            children = current
        else:
            continue
        if depth >= DEEPEST_NESTING:
            raise _too_deep()
        pending.extend((child, depth + 1) for child in children)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise MalformedError("An object of the body has a key twice.")
    return value


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise MalformedError("The body holds a number that is too large.")
    return number


def _not_a_number(_: str) -> NoReturn:
    raise MalformedError("NaN and Infinity are not JSON.")


def _too_deep() -> MalformedError:
    return MalformedError(f"The body is nested deeper than {DEEPEST_NESTING} levels.")


def _too_large(limit: int) -> TooLargeError:
    return TooLargeError(f"The body is larger than {limit // 1024} KiB.")
