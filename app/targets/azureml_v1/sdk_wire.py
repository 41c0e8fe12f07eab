"""The lines of JSON between the service and a child that asks azureml-core.

A request is `{"operation", "workspace", "arguments", "token", "lease_until"}`; while it
is under way, `{"token", "lease_until"}` renews either (null leaves it as it is). The
answer is `{"result"}` with an `outcome` in it, or the `{"failure"}` of
`app.targets.store_wire`; the first line that a child sends is the
answer to nothing: it has started. `lease_until` is a moment of the machine's monotonic
clock, which all of its processes share.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from app.targets.store_wire import decode_answer

# The longest line: a certificate with its chain, fifty tags, an error's page.
LONGEST_LINE = 1024 * 1024


class Outcome(StrEnum):
    """What came of a request."""

    DONE = "done"
    LEASE_RAN_OUT = "lease_ran_out"  # a write was not started for want of time
    REFUSED = "refused"  # Azure's last answer was an error
    NO_ANSWER = "no_answer"  # the last request got no answer: it may have been done
    NOT_DONE = "not_done"  # azureml-core itself did not go on


@dataclass(frozen=True, kw_only=True, slots=True)
class SdkAnswer:
    """What came of a request, with the last words that Azure said."""

    outcome: Outcome
    operation_id: str | None = None
    method: str = ""
    url: str = ""
    status: int | None = None
    headers: Mapping[str, str]
    body: str = ""
    message: str = ""


def read_answer(line: bytes) -> SdkAnswer:
    """Return the answer in a line; raise the TargetError that it reports.

    Raises ValueError if it is no answer.
    """
    result = decode_answer(line)
    try:
        return SdkAnswer(
            outcome=Outcome(result["outcome"]),
            operation_id=result.get("operation_id"),
            method=result.get("method", ""),
            url=result.get("url", ""),
            status=result.get("status"),
            headers=result.get("headers", {}),
            body=result.get("body", ""),
            message=result.get("message", ""),
        )
    except KeyError as error:
        raise ValueError("not an answer") from error
