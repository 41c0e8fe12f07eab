"""When to try again: the webhook schedule, and a bounded exponential back-off.

Everything here is a pure function: the moment and the randomness come from the
caller. `jitter` is always a number from 0 up to, but not including, 1.
"""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import StrEnum

# The example schedule of Standard Webhooks 1.0, "Deliverability and reliability":
# entry n is the wait before attempt n + 1.
WEBHOOK_SCHEDULE = (
    timedelta(0),
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)

# A receiver may slow us down, but not beyond what the schedule itself would wait.
LONGEST_RETRY_AFTER = WEBHOOK_SCHEDULE[-1]
_DIGITS_OF_A_DAY = 5  # 86400 seconds

# Jitter only ever adds: a receiver never hears from us sooner than is promised.
_JITTER_SHARE = 0.1

# Standard Webhooks 1.0: 410 ends the subscription; these three ask for less load.
_GONE = 410
_OVERLOADED = frozenset({429, 502, 504})

# 2 to this power exceeds any cap; beyond it a float would overflow.
_LARGEST_EXPONENT = 60


class Verdict(StrEnum):
    """What one attempt's answer means for its delivery."""

    ACCEPTED = "accepted"
    RETRY = "retry"
    SLOW_DOWN = "slow_down"
    GONE = "gone"


def judge(status: int | None) -> Verdict:
    """Return what an HTTP status means; `None` stands for no answer at all.

    Only 2xx is success: a redirect is a failure like any other. `GONE` (410) ends the
    delivery and disables its webhook.
    """
    if status is None:
        return Verdict.RETRY
    if 200 <= status < 300:  # noqa: PLR2004 - the class of success in RFC 9110
        return Verdict.ACCEPTED
    if status == _GONE:
        return Verdict.GONE
    return Verdict.SLOW_DOWN if status in _OVERLOADED else Verdict.RETRY


def next_attempt_at(
    attempt_number: int,
    now: datetime,
    *,
    jitter: float,
    verdict: Verdict = Verdict.RETRY,
    retry_after: timedelta | None = None,
) -> datetime | None:
    """Return when to try again after attempt `attempt_number`, or `None` for never.

    The first attempt is number 1; number 0 asks for the time of the first. The answer
    is `None` after success, after 410 and once the schedule is used up. It is never
    sooner than the schedule, nor, up to a day, than what the receiver asked for;
    `SLOW_DOWN` waits one step of the schedule longer.
    """
    settled = verdict in {Verdict.ACCEPTED, Verdict.GONE}
    if settled or attempt_number >= len(WEBHOOK_SCHEDULE):
        return None
    step = attempt_number + (verdict is Verdict.SLOW_DOWN)
    scheduled = WEBHOOK_SCHEDULE[min(step, len(WEBHOOK_SCHEDULE) - 1)]
    asked = min(retry_after or timedelta(0), LONGEST_RETRY_AFTER)
    return now + max(scheduled, asked) * (1 + _JITTER_SHARE * jitter)


def parse_retry_after(value: str | None, now: datetime) -> timedelta | None:
    """Return the wait that a Retry-After header asks for, or `None` for none.

    Both forms of RFC 9110, 10.2.3 are read: seconds and an HTTP date. The answer is
    between zero and `LONGEST_RETRY_AFTER`; nonsense counts as absent.
    """
    if value is None:
        return None
    text = value.strip()
    is_number = text.isascii() and text.isdigit()
    wait = _from_seconds(text) if is_number else _from_date(text, now)
    if wait is None:
        return None
    return min(max(wait, timedelta(0)), LONGEST_RETRY_AFTER)


def backoff(
    attempt_number: int, base: timedelta, *, cap: timedelta, jitter: float
) -> timedelta:
    """Return the wait after failure `attempt_number`, counted from 1.

    It doubles from `base` up to `cap`; jitter takes away up to half, so that workers
    which failed together do not return together, and none returns at once.
    """
    exponent = min(max(attempt_number - 1, 0), _LARGEST_EXPONENT)
    longest = min(base.total_seconds() * 2**exponent, cap.total_seconds())
    return timedelta(seconds=longest * (1 - jitter / 2))


def _from_seconds(digits: str) -> timedelta:
    # Python refuses to read very long numbers, and a timedelta to hold them.
    is_over_the_cap = len(digits.lstrip("0")) > _DIGITS_OF_A_DAY
    return LONGEST_RETRY_AFTER if is_over_the_cap else timedelta(seconds=int(digits))


def _from_date(text: str, now: datetime) -> timedelta | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    # The obsolete asctime form of RFC 9110, 5.6.7 carries no zone and means UTC.
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return aware - now
