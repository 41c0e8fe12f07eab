"""What Azure answered to a child's requests, and what a refusal of it means."""

import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from azure.core.exceptions import AzureError
from requests import Response
from requests.adapters import HTTPAdapter

from app.core.failure import Blame, Evidence, Failure, FailureCode, TargetError
from app.targets.plain_text import plain_text

TRANSIENT_STATUSES = frozenset({408, 409, 425, 429, 499, 500, 502, 503, 504})

_LONGEST_CAUSE = 2000  # characters
# The signature in a storage address opens it for whoever reads it.
_QUERY = re.compile(r"\?[^\s'\")>]+")
_REQUEST_ID = "x-ms-request-id"
# What MLflow says of runs and models, and of routes that a server does not have.
_KNOWN = frozenset(
    {
        "ENDPOINT_NOT_FOUND",
        "INVALID_PARAMETER_VALUE",
        "NOT_FOUND",
        "RESOURCE_DOES_NOT_EXIST",
    }
)


class LastAnswer:
    """What the process was last answered over HTTP, whoever asked.

    MLflow keeps neither the status nor the ids of an answer that is not in its own
    words, which those of Azure's gateways are not.
    """

    def __init__(self) -> None:
        self.status: int | None = None
        self.request_id: str | None = None

    def clear(self) -> None:
        """Forget it: another request begins."""
        self.status = self.request_id = None

    def watch(self) -> None:
        """Look at every answer of this process from now on."""
        send = HTTPAdapter.send
        last = self

        def watched(adapter: HTTPAdapter, *arguments: Any, **options: Any) -> Response:  # noqa: ANN401
            last.clear()
            answer = send(adapter, *arguments, **options)
            last.status = answer.status_code
            last.request_id = answer.headers.get(_REQUEST_ID)
            return answer

        HTTPAdapter.send = watched  # type: ignore[method-assign,assignment]


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusals:
    """Reads the refusals in what was answered last."""

    last: LastAnswer

    def read(
        self, error: Exception, *, code: str | None, is_old_token: bool
    ) -> TargetError | None:
        """Return what Azure refused, None for an error that says it better itself.

        `code` is MLflow's word for it, None for an error that is not MLflow's;
        `is_old_token` says that the token's time was over.
        """
        text = _QUERY.sub("?…", f"{type(error).__name__}: {error}")
        cause = plain_text(text, longest=_LONGEST_CAUSE)
        match self.last.status:
            case HTTPStatus.UNAUTHORIZED:
                return self._unauthorized(cause, is_transient=is_old_token)
            case HTTPStatus.FORBIDDEN:
                return self._forbidden(cause)
            # One about a run or a model MLflow has words for.
            case HTTPStatus.NOT_FOUND if code is not None and code not in _KNOWN:
                return self._no_workspace(cause)
            case status if code is not None or isinstance(error, AzureError):
                return self._failed(cause, status)
            case _:
                return None

    def _unauthorized(self, cause: str, *, is_transient: bool) -> TargetError:
        return TargetError(
            Failure(
                code=FailureCode.CREDENTIAL_FAILED,
                message="The workspace did not take the token of its credential.",
                cause=cause,
                remedy="Check that the credential's tenant is the workspace's, and "
                "the clock of the worker's machine.",
                retryable=True,
                blame=Blame.SLIPWAY,
                evidence=self._evidence(),
            ),
            transient=is_transient,
        )

    def _forbidden(self, cause: str) -> TargetError:
        return TargetError(
            Failure(
                code=FailureCode.PERMISSION_DENIED,
                message="The credential may not use the workspace's models.",
                cause=cause,
                remedy="Give the credential's identity a role with the actions that "
                "docs/azure.md lists, on this workspace.",
                retryable=True,
                blame=Blame.CALLER,
                evidence=self._evidence(),
            )
        )

    def _no_workspace(self, cause: str) -> TargetError:
        return TargetError(
            Failure(
                code=FailureCode.WORKSPACE_NOT_FOUND,
                message="There is no such workspace at Azure.",
                cause=cause,
                remedy="Check the workspace's subscription_id, resource_group, "
                "workspace_name and region.",
                retryable=False,
                blame=Blame.CALLER,
                evidence=self._evidence(),
            )
        )

    def _failed(self, cause: str, status: int | None) -> TargetError | None:
        if status is not None and status not in TRANSIENT_STATUSES:
            return None
        return TargetError(
            Failure(
                code=FailureCode.MODEL_STORE_UNAVAILABLE,
                message="The workspace's MLflow server did not answer as it should.",
                cause=cause,
                remedy="Try again; if it stays, check the health of Azure ML in the "
                "workspace's region and that the worker reaches it.",
                retryable=True,
                blame=Blame.AZURE,
                evidence=self._evidence(),
            ),
            transient=True,
        )

    def _evidence(self) -> Evidence:
        status, request_id = self.last.status, self.last.request_id
        return Evidence(
            azure_code=None if status is None else str(status),
            correlation_ids=() if request_id is None else (request_id,),
        )
