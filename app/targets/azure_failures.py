"""Azure's errors as our failures, whichever of its services they come from.

An error names several codes, one inside of another, and the outermost is the least
telling: the true one is looked for in `details` too (azure.md, section 4).
"""

import ast
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

from app.core.failure import Evidence, Failure, TargetError
from app.targets.azure_answer import Answer
from app.targets.azure_failure_rules import FailureRule
from app.targets.azure_generic_rules import ALL_RULES, FAILED, TEXTS, of_status
from app.targets.plain_text import plain_text

_LONGEST_CAUSE = 2000  # characters
_LONGEST_CODE = 100
_DEEPEST = 6  # levels of details; those of Azure have two or three
_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*")
_RULES = {code.lower(): rule for rule in ALL_RULES for code in rule.codes}
# How azureml-core tells of an answer: nothing but text.
_STATUS_IN_TEXT = re.compile(r"(?:Response Code|status code|Status): ?(\d{3})\b")
_CONTENT_IN_TEXT = re.compile(r"Content: (b?(['\"]).*\2|\{.*\})", re.DOTALL)
_IDS_IN_TEXT = re.compile(
    r"x-ms-(?:correlation-)?(?:request-)?id'?: '?([0-9A-Za-z|.-]{8,100})", re.IGNORECASE
)


@dataclass(frozen=True, kw_only=True, slots=True)
class AzureProblem:
    """An error as Azure tells of it, in whichever shape: ARM's, v1's or MLflow's."""

    error: object
    status: int | None = None
    correlation_ids: tuple[str, ...] = ()
    log_tail: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Said:
    """One code of an error and the words that go with it."""

    code: str
    message: str


def failure_of(problem: AzureProblem) -> Failure:
    """Return why it failed, by the most telling code of the error."""
    return _failure(problem, *_understood(problem))


def error_of(
    problem: AzureProblem, *, retry_after_seconds: float | None = None
) -> TargetError:
    """Return the error to raise: transient where Azure may answer better later."""
    rule, said = _understood(problem)
    return TargetError(
        _failure(problem, rule, said),
        transient=rule.is_transient,
        retry_after_seconds=(
            None if retry_after_seconds is None else ceil(retry_after_seconds)
        ),
    )


def refused(answer: Answer, *, retry_after_seconds: float | None = None) -> TargetError:
    """Return the error for an answer that is not one of success."""
    return error_of(
        AzureProblem(
            error=answer.body,
            status=answer.status,
            correlation_ids=answer.correlation_ids,
        ),
        retry_after_seconds=retry_after_seconds,
    )


def problem_in_text(text: str, *, log_tail: Sequence[str] = ()) -> AzureProblem:
    """Return the problem that azureml-core put into the text of an exception.

    It tells the answer's status, headers and body there and nowhere else.
    """
    status = _STATUS_IN_TEXT.search(text)
    content = _CONTENT_IN_TEXT.search(text)
    error = _json_of(content.group(1)) if content else None
    return AzureProblem(
        error=error if error is not None else {"message": text},
        status=int(status.group(1)) if status else None,
        correlation_ids=tuple(dict.fromkeys(_IDS_IN_TEXT.findall(text))),
        log_tail=tuple(log_tail),
    )


def _understood(problem: AzureProblem) -> tuple[FailureRule, _Said | None]:
    """Return the rule of the error, and what Azure said that led to it.

    A telling code comes before the words of the error, these before a code that says
    little, and that before the status.
    """
    everything = list(_all_said(problem.error))
    known = [(each, _RULES.get(each.code.lower())) for each in everything]
    for said, rule in reversed(known):
        if rule is not None and not rule.is_generic:
            return rule, said
    for said in reversed(everything):
        for pattern, rule in TEXTS:
            if pattern.search(said.message):
                return rule, said
    for said, rule in known:
        if rule is not None:
            return rule, said
    by_status = None if problem.status is None else of_status(problem.status)
    return by_status or FAILED, everything[0] if everything else None


def _failure(problem: AzureProblem, rule: FailureRule, said: _Said | None) -> Failure:
    code = said.code if said and said.code else None
    return Failure(
        code=rule.code,
        message=rule.message,
        cause=_cause(problem, said),
        remedy=rule.remedy,
        retryable=rule.is_retryable,
        blame=rule.blame,
        evidence=Evidence(
            azure_code=code,
            correlation_ids=problem.correlation_ids,
            log_tail=problem.log_tail,
        ),
    )


def _cause(problem: AzureProblem, said: _Said | None) -> str | None:
    if said is not None and said.message:
        return plain_text(said.message, longest=_LONGEST_CAUSE)
    if problem.status is not None:
        return f"Azure answered {problem.status}."
    return None


def _all_said(error: object, depth: int = 0) -> Iterator[_Said]:
    """Yield every code of an error with its words, the outermost first."""
    if not isinstance(error, dict) or depth > _DEEPEST:
        return
    inner = error.get("error")
    if isinstance(inner, dict):
        yield from _all_said(inner, depth + 1)
        return
    code, message = _text(error, "code", "error_code"), _text(error, "message")
    if code or message:
        is_code = _CODE.fullmatch(code) is not None
        yield _Said(plain_text(code, longest=_LONGEST_CODE) if is_code else "", message)
    details = error.get("details")
    for each in details if isinstance(details, list) else []:
        yield from _all_said(each, depth + 1)
    yield from _all_said(error.get("innererror"), depth + 1)


def _text(error: dict[str, Any], *names: str) -> str:
    for name in names:
        value = error.get(name)
        if isinstance(value, str):
            return value
    return ""


def _json_of(text: str) -> object:
    """Return the JSON of a body that was put into a text as Python writes bytes."""
    try:
        value = text if text.startswith("{") else ast.literal_eval(text)
        return json.loads(value)
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        return None
