"""The words in which a worker tells why an operation did not succeed."""

from app.core.failure import Blame, Evidence, Failure, FailureCode, TargetError
from app.core.target import Observation


def deadline_exceeded(seconds: float) -> Failure:
    """Return the failure of an operation that took longer than it may."""
    return Failure(
        code=FailureCode.DEADLINE_EXCEEDED,
        message=f"The operation did not end within {seconds:.0f} s.",
        remedy="Look at the events for the phase it hung in; allow more time with "
        "deadline_seconds.",
        retryable=True,
        blame=Blame.SLIPWAY,
    )


def internal_error(error: BaseException) -> Failure:
    """Return the failure for an error that nobody foresaw; the log has its text."""
    return Failure(
        code=FailureCode.INTERNAL_ERROR,
        message="Slipway met an error of its own.",
        cause=type(error).__name__,
        remedy="Retry the operation; if it stays, give the operator its id.",
        retryable=True,
        blame=Blame.SLIPWAY,
    )


def canceled(phase: str) -> Failure:
    """Return what a canceled operation's record says."""
    return Failure(
        code=FailureCode.CANCELED,
        message=f"The operation was canceled in phase {phase}; what it made is gone.",
        remedy="Send the request again, or retry the operation.",
        retryable=True,
        blame=Blame.CALLER,
    )


def did_not_come_up(seen: Observation) -> Failure:
    """Return why a revision that was looked at did not come up."""
    if seen.failure is not None:
        return seen.failure
    return Failure(
        code=FailureCode.TARGET_FAILED,
        message="The revision did not come up.",
        cause=seen.message or seen.raw_state,
        remedy="Read the revision's log.",
        retryable=True,
        blame=Blame.SLIPWAY,
        evidence=Evidence(azure_code=seen.raw_state),
    )


def model_missing() -> Failure:
    """Return the failure of a revision that nobody resolved."""
    return Failure(
        code=FailureCode.MODEL_NOT_FOUND,
        message="The revision has no pinned model.",
        remedy="Send the request again.",
        retryable=True,
        blame=Blame.SLIPWAY,
    )


def nothing_serves() -> Failure:
    """Return the failure of a change of what serves, where nothing does any more."""
    return Failure(
        code=FailureCode.AUTH_DISABLED,
        message="Nothing that has keys serves under this name any more.",
        remedy="Follow the deployment until it is live, and ask again.",
        retryable=True,
        blame=Blame.CALLER,
    )


def regeneration_canceled() -> Failure:
    """Return what the record says of a key that was not to be replaced after all."""
    return Failure(
        code=FailureCode.CANCELED,
        message="The operation was canceled; the key may have been replaced already.",
        remedy="Read the keys again, and use what they are now.",
        retryable=True,
        blame=Blame.CALLER,
    )


def unanswered(error: TargetError) -> Failure:
    """Return the failure of a smoke test that nobody answered."""
    return Failure(
        code=FailureCode.VERIFICATION_FAILED,
        message="The revision did not answer the smoke test.",
        cause=error.failure.cause or error.failure.message,
        remedy=error.failure.remedy,
        retryable=True,
        blame=Blame.CALLER,
        evidence=error.failure.evidence,
    )


def wrong_answer(status: int, expected: int, quoted: str) -> Failure:
    """Return the failure of a smoke test with another status than expected."""
    return Failure(
        code=FailureCode.VERIFICATION_FAILED,
        message=f"The smoke test answered {status}, not {expected}.",
        cause=quoted,
        remedy="Send the model an input that it takes as verify.input, or mend it.",
        retryable=False,
        blame=Blame.CALLER,
    )


def unverifiable(message: str) -> Failure:
    """Return the failure of a required smoke test that could not be made."""
    return Failure(
        code=FailureCode.VERIFICATION_FAILED,
        message=f"The revision could not be verified: {message}.",
        remedy="Give verify.input, log the model with an input example, or use "
        'verify.mode "best_effort".',
        retryable=False,
        blame=Blame.CALLER,
    )
