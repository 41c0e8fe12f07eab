"""What the control API cannot do, and how it says so."""

from typing import TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

Body = TypeVar("Body", bound=BaseModel)


class ControlError(Exception):
    """A request that cannot be done; the text says why."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


async def read(request: Request, kind: type[Body]) -> Body:
    """Return the checked body of a request.

    Another content type is refused: a web page could send it here unasked.
    """
    if request.headers.get("content-type", "").split(";")[0] != "application/json":
        raise ControlError(415, "The body must be application/json.")
    try:
        return kind.model_validate_json(await request.body())
    except ValidationError as error:
        places = (
            ": ".join([*map(str, each["loc"]), each["msg"]])
            for each in error.errors(include_url=False, include_input=False)
        )
        raise ControlError(400, "; ".join(places)) from error


async def answer(_: Request, error: Exception) -> Response:
    """Return the answer to a request that raised a `ControlError`."""
    status = error.status if isinstance(error, ControlError) else 500
    return JSONResponse({"error": str(error)}, status)
