"""The failures that targets and model stores report, each worded in one place."""

from app.core.failure import Blame, Evidence, Failure, FailureCode, TargetError
from app.targets.plain_text import plain_text

_LONGEST_QUOTE = 2000  # characters


def model_refused(reason: str, *, remedy: str | None = None) -> TargetError:
    """Return the error for a model whose description is not to be trusted."""
    return TargetError(
        Failure(
            code=FailureCode.MODEL_REFUSED,
            message=f"The model was refused: {_quote(reason).rstrip('.')}.",
            remedy=remedy
            or "Log the model again with MLflow itself; a model that MLflow wrote "
            "names no file outside of its own directory.",
            retryable=False,
            blame=Blame.CALLER,
        )
    )


def model_not_found(what: str, *, remedy: str | None = None) -> TargetError:
    """Return the error for a model URI that names nothing; `what` says which part."""
    return TargetError(
        Failure(
            code=FailureCode.MODEL_NOT_FOUND,
            message=f"The model does not exist: {_quote(what).rstrip('.')}.",
            remedy=remedy
            or "Check the run, name, version or alias in the workspace's MLflow store.",
            retryable=False,
            blame=Blame.CALLER,
        )
    )


def store_unavailable(cause: str, *, transient: bool = True) -> TargetError:
    """Return the error for a store that cannot be asked; `cause` is quoted."""
    return TargetError(
        Failure(
            code=FailureCode.MODEL_STORE_UNAVAILABLE,
            message="The workspace's MLflow store did not answer as it should.",
            cause=_quote(cause),
            remedy="Check the workspace's tracking_uri, that the store is up, and that "
            "it can be reached from this machine.",
            retryable=transient,
            blame=Blame.CALLER,
        ),
        transient=transient,
    )


def model_load_failed(
    message: str, *, cause: str | None, log: list[str], remedy: str | None = None
) -> Failure:
    """Return the failure of a model that did not come up, quoting its log."""
    return Failure(
        code=FailureCode.MODEL_LOAD_FAILED,
        message=message,
        cause=None if cause is None else _quote(cause),
        remedy=remedy
        or "Load the model with mlflow.pyfunc.load_model in the environment that "
        "serves it, correct what fails there, and deploy it again.",
        retryable=False,
        blame=Blame.CALLER,
        evidence=Evidence(log_tail=tuple(log)),
    )


def target_unavailable(message: str, *, cause: str | None = None) -> TargetError:
    """Return the transient error for a target that cannot act just now."""
    return TargetError(
        Failure(
            code=FailureCode.TARGET_UNAVAILABLE,
            message=message,
            cause=None if cause is None else _quote(cause),
            remedy="Read the deployment's logs; if it stays, check the machine's "
            "memory, disk and process limits.",
            retryable=True,
            blame=Blame.SLIPWAY,
        ),
        transient=True,
    )


def _quote(text: str) -> str:
    return plain_text(text, longest=_LONGEST_QUOTE)
