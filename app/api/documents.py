"""What OpenAPI says of a route's answers: each status, its schema and its examples."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import TypeAdapter

from app.api.errors import MEDIA_TYPE, Problem, problem, status_of
from app.core.errors import (
    AppError,
    FieldProblem,
    ForbiddenError,
    InvalidError,
    MalformedError,
    UnauthorizedError,
    UnavailableError,
)

Documented = dict[int | str, dict[str, Any]]

# What any route that needs a key may answer.
_EVERYWHERE: tuple[type[AppError], ...] = (
    MalformedError,
    UnauthorizedError,
    ForbiddenError,
    InvalidError,
    AppError,
    UnavailableError,
)
_PROBLEM = TypeAdapter(Problem)


def shown(
    status: int,
    description: str,
    examples: Mapping[str, Any],
    *,
    model: Any = None,  # noqa: ANN401
    media_type: str = "application/json",
) -> Documented:
    """Return one success answer with its named examples."""
    named = {name: {"value": value} for name, value in examples.items()}
    answer: dict[str, Any] = {
        "description": description,
        "content": {media_type: {"examples": named}},
    }
    if model is not None:
        answer["model"] = model
    return {status: answer}


def nothing(description: str) -> Documented:
    """Return 204, an answer without a body."""
    return {204: {"description": description}}


def refused(*kinds: type[AppError]) -> Documented:
    """Return the problems that a route may answer, those of every route among them."""
    by_status: dict[int, list[type[AppError]]] = {}
    for kind in dict.fromkeys((*_EVERYWHERE, *kinds)):
        by_status.setdefault(status_of(kind), []).append(kind)
    return {status: _refusal(found) for status, found in sorted(by_status.items())}


def example(kind: type[AppError]) -> dict[str, Any]:
    """Return a problem of that kind, as callers see it."""
    fields: Sequence[FieldProblem] = ()
    if issubclass(kind, InvalidError):
        fields = [
            FieldProblem(pointer="/model/uri", code="missing", detail="is required")
        ]
    error = AppError(f"{kind.title}.", remedy=kind.remedy, fields=fields)
    shape = problem(error, request_id="req_01kanzq4w0k0s82rcx7h403g6z")
    content = dict(_PROBLEM.dump_python(shape, mode="json"))
    return content | {
        "type": f"urn:slipway:error:{kind.code}",
        "title": kind.title,
        "status": status_of(kind),
        "code": kind.code,
    }


def _refusal(kinds: Sequence[type[AppError]]) -> dict[str, Any]:
    examples = {
        kind.code: {"summary": kind.title, "value": example(kind)} for kind in kinds
    }
    return {
        "description": "; ".join(f"{kind.title} (`{kind.code}`)" for kind in kinds),
        "content": {
            MEDIA_TYPE: {
                "schema": {"$ref": "#/components/schemas/Problem"},
                "examples": examples,
            }
        },
    }
