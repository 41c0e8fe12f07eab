"""An answer of Azure's as it is used here: JSON of a bounded size, and its ids."""

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

from app.targets.plain_text import plain_text

_LARGEST = 16 * 1024 * 1024  # bytes: some thousand services on one page
_LONGEST_ID = 100  # characters
_LONGEST_WAIT = 600  # seconds
_ID_HEADERS = ("x-ms-request-id", "x-ms-correlation-request-id", "request-id")


class BadAnswerError(Exception):
    """An answer that no service of Azure means: HTML, garbage, or without end."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What Azure said; `body` is None where there was none.

    `headers` are in lower case.
    """

    status: int
    # JSON of somebody else's making: whoever reads it looks before each step.
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    correlation_ids: tuple[str, ...] = ()

    @property
    def is_success(self) -> bool:
        """Say whether the status is one of success."""
        return 200 <= self.status < 300  # noqa: PLR2004 - HTTP's own numbers


async def bounded(chunks: AsyncIterator[bytes]) -> bytes:
    """Return all of the chunks. Raises BadAnswerError over 16 MiB."""
    parts: list[bytes] = []
    size = 0
    async for chunk in chunks:
        size += len(chunk)
        if size > _LARGEST:
            raise BadAnswerError(f"the answer is larger than {_LARGEST} bytes")
        parts.append(chunk)
    return b"".join(parts)


def parsed(content: bytes) -> Any:  # noqa: ANN401 - see Answer.body
    """Return the JSON of a body. Raises BadAnswerError for anything else."""
    if not content.strip():
        return None
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        kind = "HTML" if content.lstrip()[:1] == b"<" else "no JSON"
        raise BadAnswerError(f"the answer is {kind}") from None


def correlation_ids(headers: Mapping[str, str], body: object) -> tuple[str, ...]:
    """Return the ids by which Azure's support finds the call, each once."""
    found = (
        plain_text(each, longest=_LONGEST_ID)
        for each in _all_ids(headers, body)
        if each
    )
    return tuple(dict.fromkeys(found))


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Return the seconds of `Retry-After`, which may be a date; None if it is neither.

    Never below zero, and never more than ten minutes: nobody means more.
    """
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return float(min(int(value[:9]), _LONGEST_WAIT))
    try:
        seconds = (parsedate_to_datetime(value) - now).total_seconds()
    except (TypeError, ValueError):
        # The second: a date without a zone, which does not compare.
        return None
    return min(max(seconds, 0.0), _LONGEST_WAIT)


def at(body: object, *names: str) -> Any:  # noqa: ANN401 - see Answer.body
    """Return what stands at a path of names in JSON, None if the path breaks off."""
    for name in names:
        body = body.get(name) if isinstance(body, dict) else None
    return body


def _all_ids(headers: Mapping[str, str], body: object) -> Iterator[str]:
    for name in _ID_HEADERS:
        yield headers.get(name, "")
    if isinstance(body, dict) and isinstance(body.get("correlation"), dict):
        for value in body["correlation"].values():
            yield value if isinstance(value, str) else ""
