"""The lines of JSON between the service and a child that asks an MLflow store.

A request is `{"operation", "arguments", "lease_until", "token"}`, an answer
`{"result"}` or `{"failure", "transient"}`; the first line that a child sends is the
answer to nothing: it has started. `token` is the bearer token for a workspace of Azure
ML, which is in no log and in no environment. `lease_until` is a moment of the machine's
monotonic clock, which all of its processes share, so a request that was held up on its
way is not good for longer.
"""

import json
from dataclasses import asdict
from typing import Any

from app.core.failure import Blame, Evidence, Failure, FailureCode, TargetError

# The longest line: an example of a megabyte, escaped, and what stands around it.
LONGEST_LINE = 8 * 1024 * 1024


def encode(message: dict[str, Any]) -> bytes:
    """Return `message` as one line."""
    return json.dumps(message).encode() + b"\n"


def encode_error(error: TargetError) -> bytes:
    """Return the answer of a child that failed."""
    return encode({"failure": asdict(error.failure), "transient": error.transient})


def decode_answer(line: bytes) -> dict[str, Any]:
    """Return the result in an answer; raise the TargetError that it reports.

    Raises ValueError if it is no answer.
    """
    try:
        message = json.loads(line)
        if "failure" not in message:
            return dict(message["result"])
        error = _read_error(message)
    except (KeyError, TypeError) as unreadable:
        raise ValueError("not an answer") from unreadable
    raise error


def _read_error(message: dict[str, Any]) -> TargetError:
    fields = message["failure"]
    evidence = fields["evidence"]
    failure = Failure(
        code=FailureCode(fields["code"]),
        message=fields["message"],
        cause=fields["cause"],
        remedy=fields["remedy"],
        retryable=fields["retryable"],
        blame=Blame(fields["blame"]),
        evidence=Evidence(
            azure_code=evidence["azure_code"],
            correlation_ids=tuple(evidence["correlation_ids"]),
            log_tail=tuple(evidence["log_tail"]),
        ),
    )
    return TargetError(failure, transient=message["transient"])
