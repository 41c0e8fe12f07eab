"""Validation errors as JSON pointers and words, without an echo of the input."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.core.errors import FieldProblem

_LONGEST_NAME = 128  # characters of a caller's own key that a pointer may repeat
_MOST_PROBLEMS = 50

# pydantic's words speak of Python; these speak of JSON.
_WORDS: Mapping[str, str] = {
    "missing": "is required",
    "unexpected_keyword_argument": "is not a field that this takes",
    "extra_forbidden": "is not a field that this takes",
    "dataclass_type": "must be an object",
    "mapping_type": "must be an object",
    "dict_type": "must be an object",
    "tuple_type": "must be an array",
    "list_type": "must be an array",
}
_CODES: Mapping[str, str] = {
    "unexpected_keyword_argument": "unknown_field",
    "extra_forbidden": "unknown_field",
    "dataclass_type": "object_type",
    "mapping_type": "object_type",
    "dict_type": "object_type",
    "tuple_type": "array_type",
    "list_type": "array_type",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Place:
    """Where an error is: its pointer, and the union's member that it speaks of."""

    pointer: str
    union: str | None = None
    member: str | None = None


def problems_of(
    errors: Sequence[Mapping[str, Any]], body: object = None
) -> list[FieldProblem]:
    """Return pydantic's `errors` about `body` as problems with RFC 6901 pointers.

    Of a union, only the member that fits best is spoken of.
    """
    placed = [(_place(error["loc"], body), error) for error in errors]
    best = _best_members(placed)
    kept = [
        _problem(place, error)
        for place, error in placed
        if place.union is None or best[place.union] == place.member
    ]
    return list(dict.fromkeys(kept))[:_MOST_PROBLEMS]


def _problem(place: _Place, error: Mapping[str, Any]) -> FieldProblem:
    if error["type"] in {"union_tag_invalid", "union_tag_not_found"}:
        return _kind_problem(place, error)
    return FieldProblem(
        pointer=place.pointer,
        code=_CODES.get(error["type"], error["type"]),
        detail=_WORDS.get(error["type"], error["msg"]),
    )


def _kind_problem(place: _Place, error: Mapping[str, Any]) -> FieldProblem:
    """Return the problem of an object that does not say which of several it is.

    pydantic's own words repeat what was sent, and point at the object around it.
    """
    field = str(error["ctx"]["discriminator"]).strip("'")
    is_missing = error["type"] == "union_tag_not_found"
    expected = error["ctx"].get("expected_tags", "")
    return FieldProblem(
        pointer=f"{place.pointer}/{field}",
        code="missing" if is_missing else "literal_error",
        detail="is required" if is_missing else f"must be one of {expected}",
    )


def pointer(parts: Iterable[object]) -> str:
    """Return the JSON pointer of `parts`, cut before a name of absurd length."""
    steps: list[str] = []
    for part in parts:
        text = str(part)
        if len(text) > _LONGEST_NAME:
            break
        steps.append("/" + text.replace("~", "~0").replace("/", "~1"))
    return "".join(steps)


def _place(location: Sequence[int | str], body: object) -> _Place:
    if not location or location[0] != "body":
        return _Place(pointer=pointer(location))
    return _walk(location[1:], body)


def _walk(location: Sequence[int | str], body: object) -> _Place:
    """Follow `location` through `body`, leaving out what is not in it.

    pydantic names union members and mapping keys in between; no pointer has those.
    """
    steps: list[int | str] = []
    union: str | None = None
    member: str | None = None
    current = body
    for position, part in enumerate(location):
        is_last = position == len(location) - 1
        if isinstance(current, dict) and (part in current or is_last):
            current = current.get(part)
            steps.append(part)
        elif isinstance(current, list) and isinstance(part, int):
            current = current[part] if part < len(current) else None
            steps.append(part)
        elif part != "[key]":
            union, member = pointer(steps), str(part)
    return _Place(pointer=pointer(steps), union=union, member=member)


def _best_members(
    placed: Sequence[tuple[_Place, Mapping[str, Any]]],
) -> Mapping[str, str]:
    """Return for each union the member meant: it knows the fields that were sent."""
    counts: dict[str, dict[str, tuple[int, int]]] = {}
    for place, error in placed:
        if place.union is not None and place.member is not None:
            members = counts.setdefault(place.union, {})
            unknown, total = members.get(place.member, (0, 0))
            unknown += _CODES.get(error["type"]) == "unknown_field"
            members[place.member] = unknown, total + 1
    return {
        union: min(members, key=lambda name: members[name])
        for union, members in counts.items()
    }
