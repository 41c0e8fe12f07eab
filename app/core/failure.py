"""Why an operation did not succeed: told alike in records, answers and webhooks."""

from dataclasses import dataclass, field
from enum import StrEnum

from app.core.errors import AppError


class Blame(StrEnum):
    """Who can mend a failed operation."""

    CALLER = "caller"
    QUOTA = "quota"
    AZURE = "azure"
    SLIPWAY = "slipway"


class FailureCode(StrEnum):
    """The stable codes in the `error` of a failed or canceled operation."""

    MODEL_NOT_FOUND = "model_not_found"
    MODEL_REFUSED = "model_refused"
    MODEL_STORE_UNAVAILABLE = "model_store_unavailable"
    PREFLIGHT_FAILED = "preflight_failed"
    MODEL_LOAD_FAILED = "model_load_failed"
    TARGET_FAILED = "target_failed"
    TARGET_UNAVAILABLE = "target_unavailable"
    VERIFICATION_FAILED = "verification_failed"
    CREDENTIAL_FAILED = "credential_failed"
    SECRET_UNAVAILABLE = "secret_unavailable"  # noqa: S105 - a code
    PERMISSION_DENIED = "permission_denied"
    WORKSPACE_NOT_FOUND = "workspace_not_found"
    RESOURCE_NOT_FOUND = "resource_not_found"
    NAME_TAKEN_AT_TARGET = "name_taken_at_target"
    TARGET_BUSY = "target_busy"
    TARGET_NOT_READY = "target_not_ready"
    THROTTLED = "throttled"
    OPTIONS_REFUSED = "options_refused"
    QUOTA_EXCEEDED = "quota_exceeded"
    OUT_OF_CAPACITY = "out_of_capacity"
    UNSCHEDULABLE = "unschedulable"
    CLUSTER_FAILED = "cluster_failed"
    IMAGE_BUILD_FAILED = "image_build_failed"
    IMAGE_PULL_FAILED = "image_pull_failed"
    CONTAINER_CRASHED = "container_crashed"
    OUT_OF_MEMORY = "out_of_memory"
    TARGET_TIMED_OUT = "target_timed_out"
    TARGET_CANCELED = "target_canceled"
    AUTH_DISABLED = "auth_disabled"
    ROLLED_BACK = "rolled_back"
    DEADLINE_EXCEEDED = "deadline_exceeded"
    DELETE_FAILED = "delete_failed"
    CANCELED = "canceled"
    SUPERSEDED = "superseded"
    INTERNAL_ERROR = "internal_error"


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence:
    """What supports a failure: the target's own code, its ids, its last words."""

    azure_code: str | None = None
    correlation_ids: tuple[str, ...] = ()
    log_tail: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """Why an operation did not succeed, and what mends it.

    `message` says what happened, `cause` quotes why, `remedy` says what to do.
    """

    code: FailureCode
    message: str
    cause: str | None = None
    remedy: str
    retryable: bool
    blame: Blame
    evidence: Evidence = field(default_factory=Evidence)


class TargetError(AppError):
    """A target or a model store failed, with the evidence of it.

    A transient one is worth another look later; a permanent one ends the operation.
    """

    code = "target_failed"
    title = "The target failed"

    def __init__(
        self,
        failure: Failure,
        *,
        transient: bool = False,
        retry_after_seconds: int | None = None,
    ) -> None:
        super().__init__(
            failure.message,
            remedy=failure.remedy,
            retry_after_seconds=retry_after_seconds,
        )
        self.failure = failure
        self.transient = transient
