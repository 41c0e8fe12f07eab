"""The failures of a call that Azure did not answer as Azure does."""

from app.core.failure import Blame, Evidence, Failure, FailureCode, TargetError
from app.targets.plain_text import plain_text

_LONGEST_CAUSE = 500  # characters
_REACH = (
    "Check that the worker reaches Azure: HTTPS_PROXY, REQUESTS_CA_BUNDLE, "
    "SSL_CERT_FILE, firewall, private endpoint; then retry the operation."
)


def unreachable(
    error: Exception | str,
    *,
    is_write: bool = False,
    correlation_ids: tuple[str, ...] = (),
) -> TargetError:
    """Return the transient error for a call without an answer of Azure's own.

    Of a write nobody knows whether it was done: whoever made it looks before anything
    else.
    """
    cause = plain_text(str(error), longest=_LONGEST_CAUSE) or type(error).__name__
    return TargetError(
        Failure(
            code=FailureCode.TARGET_UNAVAILABLE,
            message=(
                "Azure did not answer; whether it did what was asked is not known."
                if is_write
                else "Azure did not answer as it should."
            ),
            cause=cause,
            remedy=_REACH,
            retryable=True,
            blame=Blame.AZURE,
            evidence=Evidence(correlation_ids=correlation_ids),
        ),
        transient=True,
    )


def foreign_host() -> TargetError:
    """Return the error for an answer that points away from the workspace's cloud."""
    return TargetError(
        Failure(
            code=FailureCode.TARGET_FAILED,
            message="Azure pointed to a host that is none of the cloud's own; nothing "
            "was sent there.",
            remedy="Check `cloud` of the workspace, and what stands between the worker "
            "and Azure: no token leaves the cloud.",
            retryable=False,
            blame=Blame.AZURE,
        )
    )


def no_region() -> TargetError:
    """Return the error for a workspace that does not say where its services are."""
    return TargetError(
        Failure(
            code=FailureCode.TARGET_NOT_READY,
            message="The workspace does not say where its regional services are.",
            remedy="Check in the Azure portal that the workspace is provisioned.",
            retryable=True,
            blame=Blame.AZURE,
        ),
        transient=True,
    )
