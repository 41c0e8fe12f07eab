"""The answers that several routes share, as OpenAPI describes them."""

from typing import Any

from app.api import examples
from app.api.documents import Documented, shown
from app.core.errors import (
    AppError,
    MediaTypeError,
    NotFoundError,
    NotSupportedError,
    OperationInProgressError,
    PreconditionError,
    RequiresRecreateError,
    RevisionConflictError,
    StateConflictError,
    TimedOutError,
    TooLargeError,
    UnresolvedModelError,
)
from app.core.lifecycle import DeploymentState, OperationState
from app.core.view import DeploymentView, OperationView
from app.services.previews import Preview
from app.services.removal import Removal
from app.webhooks.addresses import (
    AddressRefusedError,
    HostUnresolvedError,
    UrlRefusedError,
)

# A JSON body of any route.
BODY_ERRORS: tuple[type[AppError], ...] = (TooLargeError, MediaTypeError)
# A URL of the caller's, judged before it is stored.
URL_ERRORS: tuple[type[AppError], ...] = (
    UrlRefusedError,
    AddressRefusedError,
    HostUnresolvedError,
)
# A change of a deployment that may stand already.
CHANGE_ERRORS: tuple[type[AppError], ...] = (
    NotFoundError,
    StateConflictError,
    OperationInProgressError,
    RevisionConflictError,
    NotSupportedError,
    PreconditionError,
)
# A change by a whole spec.
SPEC_ERRORS: tuple[type[AppError], ...] = (
    *BODY_ERRORS,
    *URL_ERRORS,
    *CHANGE_ERRORS,
    RequiresRecreateError,
    UnresolvedModelError,
    TimedOutError,
)

_HEADERS = {
    "ETag": '`"<revision>.<version>"`.',
    "Location": "The deployment.",
    "Operation-Location": "The operation; follow it until it has ended.",
    "Retry-After": "Seconds after which to look again.",
    "Preference-Applied": "`wait=N`, if that was preferred.",
    "Idempotency-Replayed": "`true` on an answer that was given before.",
    "Deprecation": "Since when Azure calls the target legacy (RFC 9745): aci and aks.",
    "Link": "With it: `deprecation` and `successor-version`, for people.",
}


def found() -> Documented:
    """Return 200 with a deployment, by way of each state, and 304."""
    each = {state.value: examples.deployment(state) for state in DeploymentState}
    answer = shown(200, "The deployment.", each, model=DeploymentView)
    return with_headers(answer, "ETag", "Preference-Applied", "Deprecation", "Link") | {
        304: {"description": "If-None-Match names what stands."}
    }


def accepted() -> Documented:
    """Return 202 with a deployment whose operation was accepted."""
    pending = {"accepted": examples.deployment(DeploymentState.PENDING)}
    return with_headers(
        shown(202, "Accepted; an operation does it.", pending, model=DeploymentView),
        *_HEADERS,
    )


def unchanged() -> Documented:
    """Return 200 for what already stands as asked, or with `validate_only`."""
    content = {
        "unchanged": examples.deployment(DeploymentState.LIVE),
        "validate_only": examples.preview(),
    }
    answer = shown(
        200,
        "It already is as asked, and no operation was started; or the preview of "
        "`validate_only`.",
        content,
        model=DeploymentView | Preview,
    )
    return with_headers(answer, "ETag", "Location")


def deleting() -> Documented:
    """Return 202 for a deletion, and 200 where it was under way, or for a preview."""
    started = {"deleting": examples.deployment(DeploymentState.DELETING)}
    listed = {
        "deleted": examples.deployment(DeploymentState.DELETED),
        "validate_only": examples.removal(),
    }
    return with_headers(
        shown(202, "Accepted; an operation does it.", started, model=DeploymentView),
        *_HEADERS,
    ) | shown(
        200,
        "It was under way already, or what `validate_only` lists.",
        listed,
        model=DeploymentView | Removal,
    )


def operation_found() -> Documented:
    """Return 200 with an operation, by way of each state."""
    each: dict[str, Any] = {
        state.value: examples.operation(state) for state in OperationState
    }
    each |= examples.failed_operations()
    answer = shown(200, "The operation.", each, model=OperationView)
    return with_headers(answer, "Retry-After", "Preference-Applied")


def operation_accepted() -> Documented:
    """Return 202 with the operation that was asked for."""
    running = {"running": examples.operation(OperationState.RUNNING)}
    return with_headers(
        shown(202, "Accepted.", running, model=OperationView),
        "Location",
        "Operation-Location",
        "Retry-After",
        "Preference-Applied",
        "Idempotency-Replayed",
    )


def with_headers(documented: Documented, *names: str) -> Documented:
    """Return `documented` with the headers that these answers carry."""
    for answer in documented.values():
        answer["headers"] = {
            name: {"description": _HEADERS[name], "schema": {"type": "string"}}
            for name in names
        }
    return documented
