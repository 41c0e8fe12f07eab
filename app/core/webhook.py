"""A caller's registered address, what it wants to hear, and what became of it."""

import base64
import binascii
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from enum import StrEnum

from app.core.errors import FieldProblem, InvalidError

SECRET_PREFIX = "whsec_"  # noqa: S105 - the mark of a secret, not one

# Standard Webhooks 1.0, "Signature scheme".
SHORTEST_SECRET = 24  # bytes
LONGEST_SECRET = 64  # bytes

# More would be a list of all types, which `*` says in one.
MOST_PATTERNS = 32


@dataclass(frozen=True, kw_only=True, slots=True)
class Webhook:
    """Where events go and which; its secret is never part of this snapshot.

    `events` are patterns (see `is_match`); `workspaces` and `tags` narrow them where
    given. A one-off webhook, named on a request, has `deployment_id` and follows that
    deployment alone. `disabled_reason` says why Slipway switched it off by itself.
    """

    id: str
    project: str
    name: str
    url: str
    events: tuple[str, ...]
    workspaces: tuple[str, ...] | None = None
    tags: Mapping[str, str] | None = None
    enabled: bool = True
    deployment_id: str | None = None
    disabled_reason: str | None = None
    created_by: str
    created_at: datetime
    updated_at: datetime


class DeliveryState(StrEnum):
    """Where one delivery stands."""

    PENDING = "pending"  # not yet accepted, another attempt is due
    SUCCEEDED = "succeeded"  # the receiver answered 2xx
    FAILED = "failed"  # the schedule is used up, or the receiver is gone
    CANCELED = "canceled"  # its webhook was deleted or disabled before

    @property
    def is_terminal(self) -> bool:
        """Say whether no further attempt follows by itself."""
        return self is not DeliveryState.PENDING


@dataclass(frozen=True, kw_only=True, slots=True)
class Attempt:
    """One try at a delivery: `status` where there was an answer, else `error`.

    `error` is one line of ours, `response_head` the receiver's first words without
    control characters; neither holds a secret of Slipway.
    """

    number: int
    started_at: datetime
    duration_seconds: float
    status: int | None = None
    error: str | None = None
    response_head: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivery:
    """One event for one webhook; at least once, in no promised order."""

    id: str
    project: str
    webhook_id: str
    event_id: str
    event_type: str
    state: DeliveryState
    attempts: tuple[Attempt, ...] = ()
    next_attempt_at: datetime | None = None
    created_at: datetime
    finished_at: datetime | None = None

    @property
    def message_id(self) -> str:
        """Return the `webhook-id` that all its attempts carry."""
        return webhook_message_id(self.event_id, self.webhook_id)


@dataclass(frozen=True, kw_only=True, slots=True)
class EventOrigin:
    """Whom an event is about, as far as a webhook can choose by it."""

    project: str
    deployment_id: str | None = None
    workspace: str | None = None
    tags: Mapping[str, str] | None = None


def matches(webhook: Webhook, event_type: str, *, origin: EventOrigin) -> bool:
    """Say whether `webhook` is to hear of an `event_type` from `origin`.

    Never across projects, never while disabled; every filter that is set must hold,
    and all of its tags must stand on the deployment with the same values.
    """
    follows = webhook.deployment_id in {None, origin.deployment_id}
    in_place = webhook.workspaces is None or origin.workspace in webhook.workspaces
    tagged = (webhook.tags or {}).items() <= (origin.tags or {}).items()
    return (
        webhook.enabled
        and webhook.project == origin.project
        and follows
        and in_place
        and tagged
        and any(is_match(pattern, event_type) for pattern in webhook.events)
    )


def is_match(pattern: str, event_type: str) -> bool:
    """Say whether `pattern` covers `event_type`.

    A pattern is an event type, `*` for all, or a prefix and `.*`, as in
    `deployment.*`; a star has no meaning anywhere else.
    """
    if pattern == "*":
        return True
    if pattern.endswith(".*"):
        return event_type.startswith(pattern[:-1])
    return event_type == pattern


def check_patterns(
    patterns: Sequence[str], known_types: Collection[str], *, pointer: str = "/events"
) -> tuple[str, ...]:
    """Return `patterns` once each, in order, or refuse them naming every wrong one.

    A pattern that covers none of `known_types` would never fire: that is a typo, and
    raises `InvalidError` with the nearest known type.
    """
    if not 0 < len(patterns) <= MOST_PATTERNS:
        raise InvalidError(
            f"A webhook takes 1 to {MOST_PATTERNS} event patterns.",
            remedy='Give ["*"] for every event.',
            fields=[_problem(pointer, f"1 to {MOST_PATTERNS} patterns are needed")],
        )
    problems = [
        _problem(f"{pointer}/{position}", _hint(pattern, known_types))
        for position, pattern in enumerate(patterns)
        if not any(is_match(pattern, known) for known in known_types)
    ]
    if problems:
        raise InvalidError(
            "An event pattern covers no event type.",
            remedy="Use types of GET /v1/event-types, a prefix as in `deployment.*`, "
            "or `*`.",
            fields=problems,
        )
    return tuple(dict.fromkeys(patterns))


def webhook_message_id(event_id: str, webhook_id: str) -> str:
    """Return the `webhook-id` of this event for this webhook, the same at each retry.

    Raise `ValueError` on a part with a dot: the signature's parts are joined by dots.
    """
    if "." in event_id or "." in webhook_id:
        raise ValueError("an id within a webhook-id must not hold a dot")
    return f"{event_id}-{webhook_id}"


def new_secret(random_bytes: bytes) -> str:
    """Return `whsec_` and `random_bytes`, 24 to 64 of them, in base64."""
    if not SHORTEST_SECRET <= len(random_bytes) <= LONGEST_SECRET:
        raise ValueError(
            f"a secret has {SHORTEST_SECRET} to {LONGEST_SECRET} random bytes"
        )
    return SECRET_PREFIX + base64.b64encode(random_bytes).decode("ascii")


def parse_secret(secret: str, *, pointer: str = "/secret") -> bytes:
    """Return the key inside a `whsec_…` secret, or raise `InvalidError`.

    Only the one spelling that `new_secret` would give is taken, so that every
    verifier reads the same key from it. The error never quotes the secret.
    """
    key = _decoded(secret.removeprefix(SECRET_PREFIX))
    in_range = SHORTEST_SECRET <= len(key) <= LONGEST_SECRET
    if not (in_range and new_secret(key) == secret):
        wanted = (
            f"`{SECRET_PREFIX}` and {SHORTEST_SECRET} to {LONGEST_SECRET} bytes in "
            "standard, padded base64"
        )
        raise InvalidError(
            f"A webhook secret is {wanted}.",
            remedy="Make one with `openssl rand -base64 32` and put `whsec_` before "
            "it, or leave it out where Slipway may choose.",
            fields=[FieldProblem(pointer=pointer, code="bad_secret", detail=wanted)],
        )
    return key


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""


def _problem(pointer: str, detail: str) -> FieldProblem:
    return FieldProblem(pointer=pointer, code="unknown_event_type", detail=detail)


def _hint(pattern: str, known_types: Collection[str]) -> str:
    # A known name is quoted, never what was sent.
    nearest = get_close_matches(pattern, sorted(known_types), n=1)
    suffix = f"; the nearest one is {nearest[0]}" if nearest else ""
    return f"covers no event type{suffix}"
