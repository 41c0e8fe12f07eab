"""The error for a change by azureml-core that was not made, as far as can be told."""

import json

from app.core.lease import LeaseLostError
from app.targets.azure_answer import correlation_ids
from app.targets.azure_failures import AzureProblem, error_of, problem_in_text
from app.targets.azure_unreachable import unreachable
from app.targets.azureml_v1.sdk_wire import Outcome, SdkAnswer


def error_of_answer(answer: SdkAnswer) -> Exception:
    """Return the TargetError, or LeaseLostError, for any outcome but DONE."""
    match answer.outcome:
        case Outcome.LEASE_RAN_OUT:
            return LeaseLostError("there was no time left in which to write")
        case Outcome.NO_ANSWER:
            return unreachable(answer.message, is_write=answer.method != "GET")
        case Outcome.REFUSED:
            return error_of(_refusal(answer))
        case _:
            return error_of(problem_in_text(answer.message))


def _refusal(answer: SdkAnswer) -> AzureProblem:
    try:
        body = json.loads(answer.body)
    except (ValueError, RecursionError):
        body = None
    return AzureProblem(
        error=body,
        status=answer.status,
        correlation_ids=correlation_ids(answer.headers, body),
    )
