"""What can go wrong between Slipway and a receiver, in words of our own."""

import os
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import httpcore
import httpx

from app.core.retry import Verdict, judge
from app.webhooks.addresses import (
    AddressRefusedError,
    HostUnresolvedError,
    UrlRefusedError,
)

# Every error of an attempt. `OSError` holds what TLS and the event loop's timeouts
# raise where httpcore does not turn it into one of its own.
FAILURES = (
    UrlRefusedError,
    OSError,
    httpcore.TimeoutException,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpx.InvalidURL,
)


class AttemptErrorCode(StrEnum):
    """Why an attempt did not end with 2xx."""

    URL_REFUSED = "url_refused"
    ADDRESS_REFUSED = "address_refused"
    HOST_UNRESOLVED = "host_unresolved"
    CONNECT_FAILED = "connect_failed"
    TLS_FAILED = "tls_failed"
    TIMED_OUT = "timed_out"
    PROTOCOL_FAILED = "protocol_failed"
    REDIRECTED = "redirected"
    NOT_ACCEPTED = "not_accepted"


@dataclass(frozen=True, kw_only=True, slots=True)
class AttemptFailure:
    """A code for programs and one sentence for people, without the receiver's words."""

    code: AttemptErrorCode
    text: str


def explain_status(status: int) -> AttemptFailure | None:
    """Return why `status` is not success, or `None` for 2xx."""
    if judge(status) is Verdict.ACCEPTED:
        return None
    if 300 <= status < 400:  # noqa: PLR2004 - the class of redirects in RFC 9110
        return AttemptFailure(
            code=AttemptErrorCode.REDIRECTED,
            text=f"The receiver answered {status}; redirects are not followed.",
        )
    return AttemptFailure(
        code=AttemptErrorCode.NOT_ACCEPTED, text=f"The receiver answered {status}."
    )


def explain(error: Exception) -> AttemptFailure:
    """Return what one of `FAILURES` means."""
    match error:
        case UrlRefusedError():
            return AttemptFailure(code=_refusal_code(error), text=error.detail)
        case httpx.InvalidURL():
            return AttemptFailure(
                code=AttemptErrorCode.URL_REFUSED, text="The URL cannot be read."
            )
        case TimeoutError() | httpcore.TimeoutException():
            return AttemptFailure(
                code=AttemptErrorCode.TIMED_OUT,
                text="The receiver did not answer in time.",
            )
        case httpcore.ProtocolError():
            return AttemptFailure(
                code=AttemptErrorCode.PROTOCOL_FAILED,
                text="The receiver's answer was not HTTP, or ended before its status.",
            )
        case _:
            return _explain_connection(error)


def _refusal_code(error: UrlRefusedError) -> AttemptErrorCode:
    match error:
        case AddressRefusedError():
            return AttemptErrorCode.ADDRESS_REFUSED
        case HostUnresolvedError():
            return AttemptErrorCode.HOST_UNRESOLVED
        case _:
            return AttemptErrorCode.URL_REFUSED


def _explain_connection(error: Exception) -> AttemptFailure:
    code = AttemptErrorCode.CONNECT_FAILED
    reason = ""
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            code = AttemptErrorCode.TLS_FAILED
            reason = f": {cause.verify_message}"
            break
        if isinstance(cause, ssl.SSLError):
            code = AttemptErrorCode.TLS_FAILED
            break
        if isinstance(cause, OSError) and cause.errno is not None:
            reason = f": {os.strerror(cause.errno)}"
            break
    text = f"The connection to the receiver failed{reason}"
    return AttemptFailure(code=code, text=f"{text.removesuffix('.')}.")


def _causes(error: BaseException) -> Iterator[BaseException]:
    # The pool raises its errors `from None`, which leaves only the context.
    current: BaseException | None = error
    while current is not None:
        yield current
        current = current.__cause__ or current.__context__
