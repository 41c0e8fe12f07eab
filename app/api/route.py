"""The route class of `/v1`: who is asking comes first, then what is asked."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from typing_extensions import override

from app.api.body import JSON_TYPE, MERGE_PATCH_TYPE, read_json
from app.api.parts import parts_of
from app.api.validation import pointer
from app.core.errors import FieldProblem, InvalidError, UnauthorizedError
from app.core.principal import Principal

_SCHEME = "bearer "

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class GuardedRoute(APIRoute):
    """A route that reads nothing of a request before its key was found valid.

    Then unknown query parameters are refused, because a misspelled `validate_only`
    must not do the real thing, and a JSON body is read strictly.
    """

    @override
    def get_route_handler(self) -> Handler:
        """Return the handler with the checks before it."""
        handle = super().get_route_handler()
        known = _query_names(self.dependant)
        has_body = self.body_field is not None
        media_types = {JSON_TYPE}
        if "PATCH" in (self.methods or ()):
            media_types.add(MERGE_PATCH_TYPE)

        async def guarded(request: Request) -> Response:
            request.state.principal = await authenticate(request)
            _check_query(request, known)
            if has_body:
                request = await read_json(request, media_types)
            return await handle(request)

        return guarded


def _query_names(dependant: Dependant) -> frozenset[str]:
    own = frozenset(found.alias for found in dependant.query_params)
    return own.union(*(_query_names(needed) for needed in dependant.dependencies))


async def authenticate(request: Request) -> Principal:
    """Return who is asking, or raise UnauthorizedError; streams ask again."""
    header = request.headers.get("authorization", "")
    if header[: len(_SCHEME)].lower() != _SCHEME:
        raise UnauthorizedError("There is no API key in this request.")
    secret = header[len(_SCHEME) :].strip()
    return await parts_of(request).authenticator.principal(secret)


def _check_query(request: Request, known: frozenset[str]) -> None:
    unknown = [name for name in request.query_params if name not in known]
    if unknown:
        raise InvalidError(
            "The query has a parameter that this route does not take.",
            fields=[
                FieldProblem(
                    pointer=pointer(["query", name]),
                    code="unknown_parameter",
                    detail="is not a parameter that this takes",
                )
                for name in unknown
            ],
        )
