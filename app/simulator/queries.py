"""The filters and pages of model management's lists."""

from collections.abc import Mapping, Sequence
from typing import TypeVar
from urllib.parse import urlencode

from starlette.datastructures import QueryParams
from starlette.requests import Request

from app.simulator.paths import bad_request, host_of

_PAGE = 255

Item = TypeVar("Item")


def matches(wanted: str | None, held: Mapping[str, str]) -> bool:
    """Tell whether `held` has each `key` or `key=value` of a filter with commas."""
    for each in (wanted or "").split(","):
        key, has_value, value = each.partition("=")
        if key and (key not in held or (has_value and held[key] != value)):
            return False
    return True


def page_of(request: Request, items: Sequence[Item]) -> tuple[list[Item], str | None]:
    """Return the asked page and the whole URL of the next one, if there is one."""
    query = request.query_params
    count = _number(query, "count", _PAGE)
    start = _number(query, "$skipToken", 0)
    end = start + max(1, min(count, _PAGE))
    following = None
    if end < len(items):
        again = {**query, "$skipToken": str(end)}
        following = f"{host_of(request)}{request.url.path}?{urlencode(again)}"
    return list(items[start:end]), following


def paged(values: list[dict[str, object]], following: str | None) -> dict[str, object]:
    """Return a page as it is sent; `nextLink` is absent on the last one."""
    # azureml-core follows a nextLink that is there, even one that is null.
    return (
        {"value": values}
        if following is None
        else {
            "value": values,
            "nextLink": following,
        }
    )


def is_true(query: QueryParams, name: str) -> bool:
    """Tell whether a flag of the query is on."""
    return query.get(name, "").lower() == "true"


def _number(query: QueryParams, name: str, default: int) -> int:
    text = query.get(name, "")
    if not text:
        return default
    if not text.isdecimal():
        raise bad_request("InvalidValue", f"{name} must be a whole number.")
    return int(text)
