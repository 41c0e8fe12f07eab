"""A subject's log of events in both its forms: a page, or a stream that goes on."""

import re

from fastapi import Request

from app.api import examples
from app.api.documents import Documented, shown
from app.api.pagination import Page
from app.api.streams import MEDIA_TYPE
from app.core.errors import FieldProblem, InvalidError
from app.core.event import EventType

_SEQUENCE = re.compile(r"\d{1,18}")
_LAST_EVENT_ID = "last-event-id"


def both_forms(kind: type[EventType]) -> Documented:
    """Return 200 as a page and as a stream, with an event of `kind`."""
    event = examples.event(kind)
    answer = shown(
        200,
        "One page, oldest first; or, with `Accept: text/event-stream`, what there is "
        "after `Last-Event-ID` and then everything as it happens.",
        {"page": examples.page(event)},
    )
    stream = f"id: {event['sequence']}\nevent: {event['type']}\ndata: {{…}}\n\n"
    answer[200]["content"][MEDIA_TYPE] = {
        "schema": {"type": "string"},
        "examples": {"stream": {"value": stream}},
    }
    return answer


def place(request: Request, page: Page) -> str | None:
    """Return where to go on: a reconnecting stream's own word comes first."""
    return request.headers.get(_LAST_EVENT_ID) or page.cursor


def sequence(given: str | None) -> int:
    """Return the sequence after which a log goes on, or raise InvalidError."""
    if given is None:
        return 0
    if not _SEQUENCE.fullmatch(given) or not given.isascii():
        raise unknown_place()
    return int(given)


def unknown_place() -> InvalidError:
    """Return the refusal of a place that no event of the stream has."""
    return InvalidError(
        "The events cannot go on from there.",
        remedy="Give the id of an event of this stream, or leave it out.",
        fields=[
            FieldProblem(
                pointer="/query/after",
                code="bad_cursor",
                detail="is not the id of an event of this stream",
            )
        ],
    )
