"""Pages by keyset: opaque cursors, `Link`, and the one shape of every list."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar
from urllib.parse import urlencode

from fastapi import Depends, Query, Request, Response
from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_json

from app.api.body import check_text
from app.api.deps import BaseUrl
from app.core.errors import FieldProblem, InvalidError

LARGEST_PAGE = 200
DEFAULT_PAGE = 50

_Place = TypeVar("_Place")
_CURSOR = "next_cursor of the page before this one."


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """Which page of a list a caller wants, and what its own URL was."""

    limit: int
    cursor: str | None
    url: str
    query: tuple[tuple[str, str], ...]

    def after(self, shape: TypeAdapter[_Place]) -> _Place | None:
        """Return the place that the cursor names; None for the first page.

        Raises InvalidError for a cursor that this list did not make.
        """
        if self.cursor is None:
            return None
        try:
            text = base64.urlsafe_b64decode(self.cursor.encode()).decode()
            check_text(text)
            return shape.validate_json(text)
        except (binascii.Error, ValueError, ValidationError) as error:
            raise InvalidError(
                "The cursor is not one that this list gave.",
                remedy="Take next_cursor from the page before, with the same sort.",
                fields=[
                    FieldProblem(
                        pointer="/query/cursor",
                        code="bad_cursor",
                        detail="is not a cursor of this list",
                    )
                ],
            ) from error


async def _page(
    request: Request,
    base: BaseUrl,
    limit: Annotated[
        int, Query(ge=1, le=LARGEST_PAGE, description="Items on a page.")
    ] = DEFAULT_PAGE,
    cursor: Annotated[str | None, Query(max_length=1024, description=_CURSOR)] = None,
    after: Annotated[
        str | None, Query(max_length=1024, description="The same as `cursor`.")
    ] = None,
) -> Page:
    query = [
        pair
        for pair in request.query_params.multi_items()
        if pair[0] not in {"cursor", "after"}
    ]
    return Page(
        limit=limit,
        cursor=cursor or after or None,
        url=f"{base}{request.url.path}",
        query=tuple(query),
    )


CurrentPage = Annotated[Page, Depends(_page)]


def list_answer(
    items: Sequence[Any],
    next_cursor: str | None,
    page: Page,
    *,
    extra: Mapping[str, Any] | None = None,
) -> Response:
    """Return one page: `{"items", "next_cursor"}`, and a Link to the next one."""
    content = {"items": items, "next_cursor": next_cursor, **(extra or {})}
    response = Response(to_json(content), media_type="application/json")
    if next_cursor is not None:
        query = urlencode([*page.query, ("cursor", next_cursor)])
        response.headers["Link"] = f'<{page.url}?{query}>; rel="next"'
    return response


def cursor(place: Any) -> str:  # noqa: ANN401
    """Return the opaque text of a place in a list."""
    return base64.urlsafe_b64encode(to_json(place)).decode()
