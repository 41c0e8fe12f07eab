"""Every error that a caller or an operator can meet, each with a stable code.

The tree, root first::

    AppError
    ├── InvalidError         what was sent is well-formed but wrong (422)
    ├── MalformedError       the bytes themselves are wrong (400)
    ├── UnauthorizedError    no valid key (401)
    ├── ForbiddenError       a valid key without the right (403)
    ├── NotFoundError        no such thing for this caller (404)
    ├── StateConflictError   the thing is not in a state that allows this (409)
    ├── PreconditionError    If-Match or If-None-Match did not hold (412)
    ├── TooLargeError        a body or a header over its limit (413)
    ├── MediaTypeError       a body of a type that the route does not read (415)
    ├── TooManyError         a caller is over a limit (429)
    ├── UpstreamError        a target answered badly (502)
    ├── UnavailableError     Slipway cannot serve this just now (503)
    ├── TimedOutError        nobody answered in time (504)
    ├── OperatorError        a setting or the machine is wrong; ends the process
    ├── FencedError          another worker owns the operation now
    └── TargetError          a target failed: see `app.core.failure`
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, kw_only=True, slots=True)
class FieldProblem:
    """One wrong field: `pointer` is its JSON pointer (RFC 6901) in the body."""

    pointer: str
    code: str
    detail: str


class AppError(Exception):
    """The root of everything that Slipway raises on purpose.

    `code` never changes once released; `detail` and `remedy` are for people and may.
    Neither ever holds a secret or an echo of the input.
    """

    code: ClassVar[str] = "internal_error"
    title: ClassVar[str] = "Something went wrong inside Slipway"
    remedy: ClassVar[str] = (
        "Try again; if it stays, give the operator the request id of this answer."
    )

    def __init__(
        self,
        detail: str,
        *,
        remedy: str | None = None,
        fields: Sequence[FieldProblem] = (),
        links: Mapping[str, str] | None = None,
        retry_after_seconds: int | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.advice = remedy or self.remedy
        self.fields = tuple(fields)
        self.links = dict(links or {})
        self.retry_after_seconds = retry_after_seconds


class InvalidError(AppError):
    """A well-formed request whose content is wrong; nothing was stored."""

    code = "invalid_request"
    title = "The request is well-formed but invalid"
    remedy = "Correct the fields named in `errors` and send it again."


class UnresolvedModelError(InvalidError):
    """A model URI that names nothing in its workspace."""

    code = "model_not_found"
    title = "The model does not exist"
    remedy = "Check the run, name, version or alias in the workspace's MLflow store."


class IdempotencyKeyReusedError(InvalidError):
    """An Idempotency-Key that was sent before with another body."""

    code = "idempotency_key_reused"
    title = "This Idempotency-Key was used for another request"
    remedy = "Use a new Idempotency-Key for a new request."


class IdempotencyKeyMissingError(InvalidError):
    """A creating POST without an Idempotency-Key."""

    code = "idempotency_key_required"
    title = "This request needs an Idempotency-Key header"
    remedy = "Send an Idempotency-Key of up to 255 characters, new for each request."


class MalformedError(AppError):
    """Bytes that no reading of the contract allows: bad JSON, NUL, surrogates."""

    code = "malformed_request"
    title = "The request cannot be read"
    remedy = "Send valid UTF-8 JSON without NUL characters or lone surrogates."


class UnauthorizedError(AppError):
    """No key, or one that is unknown, revoked or expired."""

    code = "unauthorized"
    title = "A valid API key is needed"
    remedy = "Send `Authorization: Bearer <key>`; `slipway keys create` makes one."


class ForbiddenError(AppError):
    """A valid key that does not carry the scope which this needs."""

    code = "forbidden"
    title = "This key may not do that"
    remedy = "Use a key with the scope named in `detail`."


class NotFoundError(AppError):
    """Nothing of that name that this caller may see."""

    code = "not_found"
    title = "No such thing"
    remedy = "Check the name or id; a key sees only its own project."


class MethodNotAllowedError(AppError):
    """A path that exists, asked with a method that it does not have."""

    code = "method_not_allowed"
    title = "This path has no such method"
    remedy = "See the Allow header and the OpenAPI document at /openapi.json."


class StateConflictError(AppError):
    """What stands there does not allow the request in its present state."""

    code = "state_conflict"
    title = "The present state does not allow this"
    remedy = "Look at the resource and decide again."


class NameTakenError(StateConflictError):
    """A live deployment already has this name."""

    code = "name_taken"
    title = "A deployment of this name exists"
    remedy = "Change it with PUT or PATCH, or choose another name."


class OperationInProgressError(StateConflictError):
    """Another change of the same deployment is still going on."""

    code = "operation_in_progress"
    title = "Another operation is in progress"
    remedy = "Wait for it, cancel it, or send the request with ?queue=true."


class RevisionConflictError(StateConflictError):
    """`expected_revision` is not the revision that stands."""

    code = "revision_conflict"
    title = "Somebody changed the deployment in between"
    remedy = "Read the deployment again and decide on what it says now."


class RequiresRecreateError(StateConflictError):
    """A field that only deleting and creating again can change."""

    code = "requires_recreate"
    title = "This change needs the service to be created anew"
    remedy = 'Send "allow_recreate": true if an interruption is acceptable.'


class NotSupportedError(StateConflictError):
    """Something that this target cannot do."""

    code = "not_supported"
    title = "The target cannot do that"
    remedy = "Use a target that can, or leave the field out."


class AuthDisabledError(StateConflictError):
    """Keys or tokens asked of an endpoint that has none."""

    code = "auth_disabled"
    title = "The endpoint has no keys"
    remedy = "Score it without a key."


class NotServingError(StateConflictError):
    """A call that needs a serving revision where none serves."""

    code = "not_serving"
    title = "Nothing is serving"
    remedy = "Follow the deployment's latest operation until it has succeeded."


class InUseError(StateConflictError):
    """Something that live deployments still need."""

    code = "in_use"
    title = "Live deployments still use this"
    remedy = "Delete the deployments listed in `links` first."


class IdentityFixedError(StateConflictError):
    """A workspace's identity changed after it was used."""

    code = "identity_fixed"
    title = "The identity of a used workspace cannot change"
    remedy = "Create another workspace and deploy there."


class PreconditionError(AppError):
    """If-Match or If-None-Match named another state than the one that stands."""

    code = "precondition_failed"
    title = "The precondition does not hold"
    remedy = "Read the resource again, take its ETag, and decide anew."


class TooLargeError(AppError):
    """A body or header over its limit; nothing of it was read further."""

    code = "too_large"
    title = "The request is too large"
    remedy = "Send less; the limit stands in `detail`."


class MediaTypeError(AppError):
    """A body of a media type that this route does not read."""

    code = "unsupported_media_type"
    title = "The body's media type is not supported"
    remedy = "Send `Content-Type: application/json`."


class TooManyError(AppError):
    """A caller over one of its limits."""

    code = "too_many"
    title = "Too many at once"
    remedy = "Wait for the time in Retry-After."


class UpstreamError(AppError):
    """A serving endpoint that could not be reached or answered nonsense."""

    code = "upstream_failed"
    title = "The endpoint did not answer"
    remedy = "Read the deployment's conditions and logs."


class UnavailableError(AppError):
    """Slipway itself cannot serve this just now; nothing was changed."""

    code = "unavailable"
    title = "The service is not available just now"
    remedy = "Try again after the time in Retry-After."


class TimedOutError(AppError):
    """No worker answered a synchronous question in time."""

    code = "timed_out"
    title = "No worker answered in time"
    remedy = "Try again; if it stays, check that a worker is running."


class OperatorError(AppError):
    """A wrong setting or machine; the process prints it and ends with status 2."""

    code = "operator_error"
    title = "Slipway cannot start like this"
    remedy = "Correct what `detail` names and start again."


class FencedError(AppError):
    """Another worker has taken the operation over; stop and never retry."""

    code = "fenced"
    title = "Another worker owns this operation"


def all_errors() -> Iterator[type[AppError]]:
    """Yield every class of the tree once, parents before children."""
    pending: list[type[AppError]] = [AppError]
    while pending:
        current = pending.pop(0)
        yield current
        pending.extend(current.__subclasses__())
