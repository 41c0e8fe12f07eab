"""What a webhook hears, its secret and its message ids."""

import base64
from dataclasses import fields, replace
from datetime import UTC, datetime

import pytest

from app.core.errors import InvalidError
from app.core.event import ALL_EVENT_NAMES
from app.core.webhook import (
    MOST_PATTERNS,
    Delivery,
    DeliveryState,
    EventOrigin,
    Webhook,
    check_patterns,
    is_match,
    matches,
    new_secret,
    parse_secret,
    webhook_message_id,
)

NOW = datetime(2026, 3, 1, tzinfo=UTC)
KEY = bytes(range(32))
SECRET = "whsec_" + base64.b64encode(KEY).decode()
ORIGIN = EventOrigin(
    project="default", deployment_id="dep_1", workspace="prod", tags={"team": "risk"}
)
WEBHOOK = Webhook(
    id="wh_1",
    project="default",
    name="audit",
    url="https://receiver.example/events",
    events=("deployment.*",),
    created_by="admin",
    created_at=NOW,
    updated_at=NOW,
)


@pytest.mark.parametrize(
    ("pattern", "event_type", "expected"),
    [
        ("*", "deployment.live", True),
        ("*", "ping", True),
        ("deployment.*", "deployment.live", True),
        ("deployment.*", "deployment", False),
        ("deployment.*", "deployments.live", False),
        ("deployment.*", "cluster.deployment.live", False),
        ("deployment.live", "deployment.live", True),
        ("deployment.live", "deployment.lively", False),
        ("deployment.live", "deployment.failed", False),
        ("deployment", "deployment.live", False),
        ("deployment*", "deployment.live", False),
        ("*.live", "deployment.live", False),
        ("deployment.*.x", "deployment.live.x", False),
        (".*", "deployment.live", False),
        ("", "deployment.live", False),
    ],
)
def test_a_star_covers_all_or_what_follows_a_prefix(
    pattern: str,
    event_type: str,
    expected: bool,  # noqa: FBT001 - a column of the table
) -> None:
    assert is_match(pattern, event_type) is expected


def test_a_webhook_hears_what_its_patterns_cover() -> None:
    both = replace(WEBHOOK, events=("webhook.disabled", "deployment.live"))

    assert matches(both, "deployment.live", origin=ORIGIN)
    assert not matches(both, "deployment.failed", origin=ORIGIN)


@pytest.mark.parametrize(
    "webhook",
    [
        pytest.param(replace(WEBHOOK, enabled=False), id="disabled"),
        pytest.param(replace(WEBHOOK, project="other"), id="of another project"),
        pytest.param(replace(WEBHOOK, events=()), id="without a pattern"),
        pytest.param(replace(WEBHOOK, workspaces=("dev",)), id="of other workspaces"),
        pytest.param(replace(WEBHOOK, workspaces=()), id="of no workspace"),
        pytest.param(replace(WEBHOOK, tags={"team": "sales"}), id="with other tags"),
        pytest.param(
            replace(WEBHOOK, tags={"team": "risk", "stage": "prod"}),
            id="with a tag more",
        ),
        pytest.param(
            replace(WEBHOOK, deployment_id="dep_2"), id="of another deployment"
        ),
    ],
)
def test_a_webhook_is_silent_when_one_filter_fails(webhook: Webhook) -> None:
    assert matches(WEBHOOK, "deployment.live", origin=ORIGIN)
    assert not matches(webhook, "deployment.live", origin=ORIGIN)


@pytest.mark.parametrize(
    "webhook",
    [
        replace(WEBHOOK, workspaces=("dev", "prod")),
        replace(WEBHOOK, tags={"team": "risk"}),
        replace(WEBHOOK, tags={}),
        replace(WEBHOOK, deployment_id="dep_1"),
    ],
)
def test_a_webhook_hears_when_every_filter_holds(webhook: Webhook) -> None:
    assert matches(webhook, "deployment.live", origin=ORIGIN)


def test_an_event_without_a_workspace_passes_no_workspace_filter() -> None:
    origin = EventOrigin(project="default")

    assert matches(replace(WEBHOOK, events=("*",)), "webhook.disabled", origin=origin)
    narrow = replace(WEBHOOK, events=("*",), workspaces=("prod",))
    assert not matches(narrow, "webhook.disabled", origin=origin)


def test_known_patterns_are_kept_once_each_in_order() -> None:
    sent = ["deployment.live", "*", "deployment.*", "deployment.live"]

    assert check_patterns(sent, ALL_EVENT_NAMES) == (
        "deployment.live",
        "*",
        "deployment.*",
    )


def test_each_typo_is_refused_at_its_own_pointer_with_the_nearest_type() -> None:
    sent = ["deployment.live", "deployment.faild", "deploymant.*", "\ud800"]

    with pytest.raises(InvalidError) as caught:
        check_patterns(sent, ALL_EVENT_NAMES)

    pointers = [problem.pointer for problem in caught.value.fields]
    assert pointers == ["/events/1", "/events/2", "/events/3"]
    assert "deployment.failed" in caught.value.fields[0].detail
    assert all("faild" not in problem.detail for problem in caught.value.fields)


@pytest.mark.parametrize("count", [0, MOST_PATTERNS + 1])
def test_a_senseless_number_of_patterns_is_refused(count: int) -> None:
    with pytest.raises(InvalidError) as caught:
        check_patterns(["*"] * count, ALL_EVENT_NAMES, pointer="/webhook/events")

    assert caught.value.fields[0].pointer == "/webhook/events"


def test_the_most_patterns_are_taken() -> None:
    assert check_patterns(["*"] * MOST_PATTERNS, ALL_EVENT_NAMES) == ("*",)


def test_a_message_id_names_event_and_webhook_and_stays_the_same() -> None:
    delivery = Delivery(
        id="dlv_1",
        project="default",
        webhook_id="wh_1",
        event_id="evt_1",
        event_type="deployment.live",
        state=DeliveryState.PENDING,
        created_at=NOW,
    )

    retried = replace(delivery, state=DeliveryState.FAILED, id="dlv_2")

    assert delivery.message_id == retried.message_id == "evt_1-wh_1"
    assert webhook_message_id("evt_1", "wh_2") != delivery.message_id


@pytest.mark.parametrize(("event_id", "webhook_id"), [("e.1", "w"), ("e", "w.1")])
def test_a_message_id_never_holds_a_dot(event_id: str, webhook_id: str) -> None:
    with pytest.raises(ValueError, match="dot"):
        webhook_message_id(event_id, webhook_id)


def test_only_a_pending_delivery_goes_on() -> None:
    ended = {state for state in DeliveryState if state.is_terminal}

    assert ended == set(DeliveryState) - {DeliveryState.PENDING}


@pytest.mark.parametrize("size", [24, 32, 64])
def test_a_secret_made_is_a_secret_read(size: int) -> None:
    key = bytes(range(100, 100 + size))

    assert parse_secret(new_secret(key)) == key


@pytest.mark.parametrize("size", [0, 23, 65])
def test_a_secret_is_not_made_from_too_few_or_too_many_bytes(size: int) -> None:
    with pytest.raises(ValueError, match="24 to 64"):
        new_secret(bytes(size))


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "whsec_",
        SECRET.removeprefix("whsec_"),
        SECRET.upper(),
        SECRET.rstrip("="),
        SECRET + "=",
        SECRET + "\n",
        " " + SECRET,
        SECRET.replace("_", "-", 1),
        "whsec_whsec_" + SECRET.removeprefix("whsec_"),
        "whsec_" + base64.b64encode(bytes(23)).decode(),
        "whsec_" + base64.b64encode(bytes(65)).decode(),
        "whsec_" + base64.urlsafe_b64encode(b"\xff" * 32).decode(),
        # The same bytes in another spelling: its last digit holds unused bits.
        SECRET[:-2] + chr(ord(SECRET[-2]) + 1) + "=",
        "whsec_é" + SECRET[7:],
        "whsec_\ud800" + SECRET[7:],
    ],
)
def test_a_misshapen_secret_is_refused_and_not_quoted(secret: str) -> None:
    with pytest.raises(InvalidError) as caught:
        parse_secret(secret, pointer="/webhook/secret")

    assert caught.value.fields[0].pointer == "/webhook/secret"
    said = f"{caught.value.detail} {caught.value.advice} {caught.value.fields}"
    assert not secret[8:] or secret[8:] not in said


def test_no_snapshot_has_a_place_for_a_secret() -> None:
    assert not any("secret" in place.name for place in fields(Webhook))
