"""The failures that are the v1 targets' own, each worded in one place."""

from collections.abc import Mapping, Sequence
from typing import Any

from app.core.failure import Blame, Failure, FailureCode, TargetError
from app.targets.azure_failures import AzureProblem, error_of
from app.targets.plain_text import plain_text

_LONGEST_QUOTE = 2000  # characters


def child_unavailable(cause: str) -> TargetError:
    """Return the transient error for a process of azureml-core that did not answer."""
    return TargetError(
        Failure(
            code=FailureCode.TARGET_UNAVAILABLE,
            message="The process that asks azureml-core did not answer.",
            cause=plain_text(cause, longest=_LONGEST_QUOTE),
            remedy="Nothing: Slipway looks at Azure and goes on from there. If it "
            "stays, check this machine's memory and the way to Azure.",
            retryable=True,
            blame=Blame.SLIPWAY,
        ),
        transient=True,
    )


def name_taken(name: str, document: Mapping[str, Any]) -> TargetError:
    """Return the permanent error for a name under which somebody else's thing stands.

    It says what is there, and nothing of it was touched.
    """
    tags = document.get("kvTags")
    mark = tags.get("slipway.deployment") if isinstance(tags, dict) else None
    whose = f"made for the deployment {mark}" if mark else "without a mark of Slipway's"
    what = (
        f"a service of the type {document.get('computeType')}, "
        f"in the state {document.get('state')}, created "
        f"{document.get('createdTime')}, {whose}"
    )
    return TargetError(
        Failure(
            code=FailureCode.NAME_TAKEN_AT_TARGET,
            message=f"The name {name!r} is taken at Azure; nothing was touched.",
            cause=plain_text(what, longest=_LONGEST_QUOTE),
            remedy="Deploy under another name, delete that service by hand, or adopt "
            "it with POST .../services/adopt.",
            retryable=False,
            blame=Blame.CALLER,
        )
    )


def auth_disabled(name: str, what: str) -> TargetError:
    """Return the permanent error for a service that has no `what`: keys or tokens."""
    return TargetError(
        Failure(
            code=FailureCode.AUTH_DISABLED,
            message=f"The service {name!r} asks its callers for no {what}.",
            remedy="Set auth_enabled for keys, or token_auth_enabled (AKS) for tokens.",
            retryable=False,
            blame=Blame.CALLER,
        )
    )


def bad_answer(cause: str) -> TargetError:
    """Return the transient error for an answer that lacks what it is asked for."""
    return TargetError(
        Failure(
            code=FailureCode.TARGET_UNAVAILABLE,
            message="Azure did not answer as it should.",
            cause=cause,
            remedy="Try again; if it stays, check what stands between the worker and "
            "Azure.",
            retryable=True,
            blame=Blame.AZURE,
        ),
        transient=True,
    )


def operation_failed(
    document: Mapping[str, Any], *, log_tail: Sequence[str] = ()
) -> TargetError:
    """Return the error for a long-running operation that ended, and not well."""
    state = str(document.get("state"))
    error = document.get("error") or {"code": state, "message": f"It ended: {state}."}
    return error_of(AzureProblem(error=error, log_tail=tuple(log_tail)))


def still_busy(name: str) -> TargetError:
    """Return the transient error for a service that Azure does not let go of."""
    return TargetError(
        Failure(
            code=FailureCode.TARGET_BUSY,
            message=f"Azure is still at work on the service {name!r}.",
            remedy="Wait for what is under way at Azure, then retry the operation.",
            retryable=True,
            blame=Blame.AZURE,
        ),
        transient=True,
    )


def service_gone(name: str) -> TargetError:
    """Return the transient error for a service that is not there (any more)."""
    return TargetError(
        Failure(
            code=FailureCode.RESOURCE_NOT_FOUND,
            message=f"There is no service {name!r} at Azure.",
            remedy="Retry the deployment's latest operation: it is created again.",
            retryable=True,
            blame=Blame.AZURE,
        ),
        transient=True,
    )
