"""The webhook schedule, Retry-After and the general back-off."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from app.core.retry import (
    LONGEST_RETRY_AFTER,
    WEBHOOK_SCHEDULE,
    Verdict,
    backoff,
    judge,
    next_attempt_at,
    parse_retry_after,
)

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def test_the_schedule_is_the_one_of_standard_webhooks() -> None:
    hours = [wait / HOUR for wait in WEBHOOK_SCHEDULE]

    assert hours[:3] == [0, 5 / 3600, 5 / 60]
    assert hours[3:] == [0.5, 2, 5, 10, 14, 20, 24]


@pytest.mark.parametrize("made", range(len(WEBHOOK_SCHEDULE)))
def test_each_attempt_waits_its_entry_of_the_schedule(made: int) -> None:
    due = next_attempt_at(made, NOW, jitter=0)

    assert due == NOW + WEBHOOK_SCHEDULE[made]


def test_after_the_last_attempt_there_is_no_other() -> None:
    assert next_attempt_at(9, NOW, jitter=0) is not None
    assert next_attempt_at(10, NOW, jitter=0) is None
    assert next_attempt_at(11, NOW, jitter=0) is None


@pytest.mark.parametrize("made", range(1, len(WEBHOOK_SCHEDULE)))
def test_jitter_only_delays_and_by_a_tenth_at_most(made: int) -> None:
    early = next_attempt_at(made, NOW, jitter=0.001)
    late = next_attempt_at(made, NOW, jitter=0.999)

    assert early is not None
    assert late is not None
    assert NOW + WEBHOOK_SCHEDULE[made] < early < late
    assert late < NOW + WEBHOOK_SCHEDULE[made] * 1.1


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (timedelta(seconds=1), timedelta(seconds=5)),
        (timedelta(minutes=7), timedelta(minutes=7)),
        (timedelta(days=400), timedelta(hours=24)),
        (None, timedelta(seconds=5)),
    ],
)
def test_a_receiver_can_ask_for_more_time_but_not_for_less(
    asked: timedelta | None, expected: timedelta
) -> None:
    due = next_attempt_at(1, NOW, jitter=0, retry_after=asked)

    assert due == NOW + expected


@pytest.mark.parametrize("verdict", [Verdict.ACCEPTED, Verdict.GONE])
def test_a_settled_delivery_is_never_tried_again(verdict: Verdict) -> None:
    due = next_attempt_at(1, NOW, jitter=0, verdict=verdict, retry_after=HOUR)

    assert due is None


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (1, timedelta(minutes=5)),
        (8, timedelta(hours=24)),
        (9, timedelta(hours=24)),
    ],
)
def test_an_overloaded_receiver_gets_one_step_more(
    made: int, expected: timedelta
) -> None:
    due = next_attempt_at(made, NOW, jitter=0, verdict=Verdict.SLOW_DOWN)

    assert due == NOW + expected


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (200, Verdict.ACCEPTED),
        (204, Verdict.ACCEPTED),
        (299, Verdict.ACCEPTED),
        (101, Verdict.RETRY),
        (199, Verdict.RETRY),
        (300, Verdict.RETRY),
        (301, Verdict.RETRY),
        (307, Verdict.RETRY),
        (400, Verdict.RETRY),
        (404, Verdict.RETRY),
        (410, Verdict.GONE),
        (429, Verdict.SLOW_DOWN),
        (500, Verdict.RETRY),
        (502, Verdict.SLOW_DOWN),
        (503, Verdict.RETRY),
        (504, Verdict.SLOW_DOWN),
        (None, Verdict.RETRY),
    ],
)
def test_a_status_has_one_meaning(status: int | None, verdict: Verdict) -> None:
    assert judge(status) is verdict


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("0", timedelta(0)),
        ("120", timedelta(minutes=2)),
        (" 120 ", timedelta(minutes=2)),
        ("000000120", timedelta(minutes=2)),
        ("86400", LONGEST_RETRY_AFTER),
        ("86401", LONGEST_RETRY_AFTER),
        ("9" * 5000, LONGEST_RETRY_AFTER),
        ("Sun, 01 Mar 2026 12:02:00 GMT", timedelta(minutes=2)),
        ("Sunday, 01-Mar-26 12:02:00 GMT", timedelta(minutes=2)),
        ("Sun Mar  1 12:02:00 2026", timedelta(minutes=2)),
        ("Sun, 01 Mar 2026 11:00:00 GMT", timedelta(0)),
        ("Sun, 01 Mar 2099 12:00:00 GMT", LONGEST_RETRY_AFTER),
    ],
)
def test_retry_after_is_read_as_seconds_or_as_a_date(
    value: str, expected: timedelta
) -> None:
    assert parse_retry_after(value, NOW) == expected


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        "-5",
        "1.5",
        "soon",
        "\uff11\uff12\uff10",
        "Sun, 99 Mar 2026 12:02:00 GMT",
        "Sun, 01 Mar 2026 12:02:00 +999999999999",
        "\x00",
    ],
)
def test_a_senseless_retry_after_counts_as_none(value: str | None) -> None:
    assert parse_retry_after(value, NOW) is None


def test_a_date_is_read_against_the_given_moment() -> None:
    header = format_datetime(NOW + HOUR, usegmt=True)

    assert parse_retry_after(header, NOW) == HOUR
    assert parse_retry_after(header, NOW + HOUR / 2) == HOUR / 2


@pytest.mark.parametrize(
    ("failure", "expected_seconds"),
    [(0, 1), (1, 1), (2, 2), (3, 4), (6, 30), (10**6, 30)],
)
def test_the_back_off_doubles_up_to_its_cap(
    failure: int, expected_seconds: int
) -> None:
    wait = backoff(failure, timedelta(seconds=1), cap=timedelta(seconds=30), jitter=0)

    assert wait == timedelta(seconds=expected_seconds)


def test_the_back_off_spreads_over_its_upper_half() -> None:
    waits = [
        backoff(3, timedelta(seconds=1), cap=timedelta(seconds=30), jitter=jitter)
        for jitter in (0, 0.5, 0.999)
    ]

    assert waits[0] == timedelta(seconds=4)
    assert waits[1] == timedelta(seconds=3)
    assert timedelta(seconds=2) < waits[2] < timedelta(seconds=2.01)
