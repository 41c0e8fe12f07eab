"""The OpenAPI document: generated from the routes, completed from the core's tables."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic import TypeAdapter

from app.api.errors import MEDIA_TYPE, Problem, status_of
from app.core.diff import cluster_effects, option_effects
from app.core.errors import AppError, all_errors
from app.core.event import EVENT_TYPES
from app.core.failure import FailureCode
from app.core.lifecycle import CLUSTER_MOVES, DEPLOYMENT_MOVES, OPERATION_MOVES
from app.core.option import Effect

_REFERENCE = "#/components/schemas/{model}"
_DESCRIPTION = """\
Says in seconds what a deployment will come to, and never does anything twice.

Waiting has one rule: follow `Operation-Location`; success is `state` = `succeeded`.
"""


def install(app: FastAPI, routers: Sequence[APIRouter]) -> None:
    """Make `/openapi.json` of `app` the complete document, generated once."""

    def generate() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app, routers)
        return app.openapi_schema

    app.openapi = generate  # type: ignore[method-assign]


def _document(app: FastAPI, routers: Sequence[APIRouter]) -> dict[str, Any]:
    document = get_openapi(
        title=app.title,
        version=app.version,
        summary=app.summary,
        description=_DESCRIPTION,
        routes=app.routes,
        servers=[{"url": "/"}],
    )
    schemas = document["components"]["schemas"]
    _add(schemas, Problem)
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    shared: dict[str, Any] = {}
    for route in _routes(routers):
        for method in route.methods or ():
            operation = document["paths"][route.path][method.lower()]
            _restore_examples(operation, route)
            _drop_default_refusals(operation)
            for answer in operation["responses"].values():
                _share_examples(answer, shared)
    document["components"]["examples"] = shared
    document["x-lifecycle"] = {
        "deployment": _moves(DEPLOYMENT_MOVES),
        "cluster": _moves(CLUSTER_MOVES),
        "operation": _moves(OPERATION_MOVES),
    }
    document["x-effects"] = _effects(option_effects())
    document["x-cluster-effects"] = _effects(cluster_effects())
    document["x-error-codes"] = {
        kind.code: {"status": status_of(kind), "title": kind.title}
        for kind in published_errors()
    }
    document["x-failure-codes"] = [str(code) for code in FailureCode]
    document["x-event-types"] = list(EVENT_TYPES)
    return document


def published_errors() -> list[type[AppError]]:
    """Return every error but those of a worker, which no request can meet.

    Whether one is known depends on what the process has imported, and in `serve`
    that is the worker too: the document must not differ by that.
    """
    return [
        kind for kind in all_errors() if not kind.__module__.startswith("app.runner.")
    ]


def _add(schemas: dict[str, Any], kind: type[Any]) -> None:
    schema = TypeAdapter(kind).json_schema(ref_template=_REFERENCE)
    schemas.update(schema.pop("$defs", {}))
    schemas[kind.__name__] = schema


def _routes(routers: Sequence[APIRouter]) -> Iterator[APIRoute]:
    for router in routers:
        yield from (route for route in router.routes if isinstance(route, APIRoute))


def _restore_examples(operation: Mapping[str, Any], route: APIRoute) -> None:
    """Put back the nulls, which FastAPI drops from examples as from all else."""
    declared: dict[str, Any] = {
        str(status): answer for status, answer in route.responses.items()
    }
    pairs = [
        (operation["responses"][status], answer) for status, answer in declared.items()
    ]
    if route.openapi_extra is not None:
        pairs.append((operation["requestBody"], route.openapi_extra["requestBody"]))
    for shown, told in pairs:
        for media_type, content in told.get("content", {}).items():
            if "examples" in content:
                shown["content"][media_type]["examples"] = dict(content["examples"])


def _drop_default_refusals(operation: Mapping[str, Any]) -> None:
    """Remove what FastAPI says of refusals by itself; ours are problems."""
    for answer in operation["responses"].values():
        content = answer.get("content", {})
        if MEDIA_TYPE in content:
            content.pop("application/json", None)


def _share_examples(answer: Mapping[str, Any], shared: dict[str, Any]) -> None:
    """Replace each example by a reference to the one of its name and content."""
    for content in answer.get("content", {}).values():
        for name, example in content.get("examples", {}).items():
            key = name
            number = 1
            while shared.setdefault(key, example) != example:
                number += 1
                key = f"{name}_{number}"
            content["examples"][name] = {"$ref": f"#/components/examples/{key}"}


def _effects(
    table: Mapping[str, Mapping[str, Effect]],
) -> dict[str, dict[str, str]]:
    return {
        kind: {name: str(effect) for name, effect in effects.items()}
        for kind, effects in table.items()
    }


def _moves(table: Mapping[Any, frozenset[Any]]) -> dict[str, list[str]]:
    return {str(old): sorted(str(new) for new in news) for old, news in table.items()}
