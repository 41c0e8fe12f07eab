"""Refusals as Azure words them: one error, and one shape of its body per surface."""

import json
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from http.client import responses
from types import MappingProxyType
from xml.sax.saxutils import escape

from starlette.responses import Response


class Style(StrEnum):
    """How a surface shapes the body of a refusal."""

    ARM = "arm"
    MMS = "mms"
    MLFLOW = "mlflow"
    BLOB = "blob"
    AAD = "aad"


class AzureError(Exception):
    """A refusal; `code` is Azure's word, `details` are pairs of code and message."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        details: Sequence[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.details = tuple(details)
        self.headers = MappingProxyType(dict(headers or {}))


def render(error: AzureError, style: Style, request_id: str) -> Response:
    """Return the answer that the surface of `style` gives for `error`."""
    if style is Style.BLOB:
        return _blob(error, request_id)
    body = _BODIES[style](error, request_id)
    return Response(
        json.dumps(body),
        status_code=error.status,
        headers=dict(error.headers),
        media_type="application/json; charset=utf-8",
    )


def _details(error: AzureError) -> list[dict[str, str]]:
    return [{"code": code, "message": message} for code, message in error.details]


def _arm(error: AzureError, _: str) -> dict[str, object]:
    inner: dict[str, object] = {"code": error.code, "message": error.message}
    if error.details:
        inner["details"] = _details(error)
    return {"error": inner}


def _mms(error: AzureError, request_id: str) -> dict[str, object]:
    return {
        "code": error.code,
        "statusCode": error.status,
        "message": error.message,
        "details": _details(error),
        "correlation": {"RequestId": request_id},
    }


def _mlflow(error: AzureError, _: str) -> dict[str, object]:
    return {"error_code": error.code, "message": error.message}


def _aad(error: AzureError, request_id: str) -> dict[str, object]:
    return {
        "error": error.code,
        "error_description": f"{error.message} Trace ID: {request_id}",
        "error_codes": [int(code) for code, _ in error.details],
        "trace_id": request_id,
        "correlation_id": request_id,
    }


def _blob(error: AzureError, request_id: str) -> Response:
    body = (
        '<?xml version="1.0" encoding="utf-8"?>'
        f"<Error><Code>{escape(error.code)}</Code>"
        f"<Message>{escape(error.message)}\nRequestId:{escape(request_id)}</Message>"
        "</Error>"
    )
    return Response(
        body,
        status_code=error.status,
        headers={"x-ms-error-code": error.code, **error.headers},
        media_type="application/xml",
    )


_BODIES: Mapping[Style, Callable[[AzureError, str], dict[str, object]]] = (
    MappingProxyType(
        {Style.ARM: _arm, Style.MMS: _mms, Style.MLFLOW: _mlflow, Style.AAD: _aad}
    )
)


def html_page(status: int) -> str:
    """Return the page that a gateway in front of Azure answers with."""
    title = f"{status} {responses.get(status, 'Error')}"
    return (
        f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n"
        f"<center><h1>{title}</h1></center>\r\n"
        "<hr><center>Microsoft-Azure-Application-Gateway/v2</center>\r\n"
        "</body>\r\n</html>\r\n"
    )
