"""Signatures that the reference verifier and an independent HMAC accept."""

import base64
import hashlib
import hmac
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta, timezone

import pytest
import standardwebhooks

from app.core.clock import SystemClock
from app.core.errors import InvalidError
from app.core.webhook import new_secret
from app.webhooks.signing import sign

KEY = bytes(range(32))
OTHER_KEY = bytes(range(32, 64))
SECRET = new_secret(KEY)
OTHER_SECRET = new_secret(OTHER_KEY)
MESSAGE_ID = "evt_01-wh_01"
BODY = '{"type":"deployment.live","détail":"ok"}'.encode()
MOMENT = datetime(2026, 3, 1, 12, 0, 0, 999_999, tzinfo=UTC)


def _verify(secret: str, headers: Mapping[str, str], body: bytes) -> None:
    standardwebhooks.Webhook(secret).verify(body, dict(headers), json_parse=False)


def _verify_by_hand(key: bytes, headers: Mapping[str, str], body: bytes) -> bool:
    head = f"{headers['webhook-id']}.{headers['webhook-timestamp']}."
    digest = hmac.new(key, head.encode() + body, hashlib.sha256).digest()
    wanted = "v1," + base64.b64encode(digest).decode()
    return wanted in headers["webhook-signature"].split(" ")


def test_the_reference_verifier_accepts_a_signature() -> None:
    headers = sign([SECRET], MESSAGE_ID, timestamp=SystemClock().now(), body=BODY)

    _verify(SECRET, headers, BODY)


def test_the_reference_verifier_refuses_another_secret() -> None:
    headers = sign([SECRET], MESSAGE_ID, timestamp=SystemClock().now(), body=BODY)

    with pytest.raises(standardwebhooks.WebhookVerificationError):
        _verify(OTHER_SECRET, headers, BODY)


def test_the_headers_are_those_of_the_specification() -> None:
    headers = sign([SECRET], MESSAGE_ID, timestamp=MOMENT, body=BODY)

    assert set(headers) == {"webhook-id", "webhook-timestamp", "webhook-signature"}
    assert headers["webhook-id"] == MESSAGE_ID
    assert headers["webhook-timestamp"] == "1772366400"
    assert _verify_by_hand(KEY, headers, BODY)


def test_while_a_secret_is_replaced_either_one_verifies() -> None:
    moment = SystemClock().now()

    headers = sign([SECRET, OTHER_SECRET], MESSAGE_ID, timestamp=moment, body=BODY)

    _verify(SECRET, headers, BODY)
    _verify(OTHER_SECRET, headers, BODY)
    assert headers["webhook-signature"].count("v1,") == 2


def test_the_time_zone_of_the_clock_does_not_matter() -> None:
    elsewhere = MOMENT.astimezone(timezone(timedelta(hours=5, minutes=30)))

    there = sign([SECRET], MESSAGE_ID, timestamp=elsewhere, body=BODY)

    assert there == sign([SECRET], MESSAGE_ID, timestamp=MOMENT, body=BODY)


def test_a_body_that_is_no_text_is_signed_as_it_is() -> None:
    headers = sign([SECRET], MESSAGE_ID, timestamp=MOMENT, body=b"\xff\x00\xfe")

    assert _verify_by_hand(KEY, headers, b"\xff\x00\xfe")


def test_every_changed_bit_of_id_time_or_body_is_refused() -> None:
    moment = SystemClock().now()
    signed = sign([SECRET], MESSAGE_ID, timestamp=moment, body=BODY)
    tried = 0

    for headers, body in _mutations(signed, BODY):
        tried += 1
        assert not _verify_by_hand(KEY, headers, body)
        with pytest.raises((standardwebhooks.WebhookVerificationError, ValueError)):
            _verify(SECRET, headers, body)

    assert tried == 8 * (len(MESSAGE_ID) + 10 + len(BODY))


def test_an_id_with_a_dot_is_refused_since_it_would_sign_two_messages() -> None:
    headers = sign([SECRET], "a", timestamp=MOMENT, body=b"1772366400.b")
    twin = {**headers, "webhook-id": "a.1772366400"}

    assert _verify_by_hand(KEY, twin, b"b")
    with pytest.raises(ValueError, match="webhook-id"):
        sign([SECRET], "a.1772366400", timestamp=MOMENT, body=b"b")


@pytest.mark.parametrize("message_id", ["", "a b", "a\r\nx: y", "é", "a" * 256, "a\n"])
def test_an_id_that_no_header_could_carry_is_refused(message_id: str) -> None:
    with pytest.raises(ValueError, match="webhook-id"):
        sign([SECRET], message_id, timestamp=MOMENT, body=BODY)


def test_nothing_is_signed_without_a_secret_or_a_time_zone() -> None:
    with pytest.raises(ValueError, match="secret"):
        sign([], MESSAGE_ID, timestamp=MOMENT, body=BODY)
    with pytest.raises(ValueError, match="aware"):
        sign([SECRET], MESSAGE_ID, timestamp=MOMENT.replace(tzinfo=None), body=BODY)


def test_a_misshapen_secret_signs_nothing() -> None:
    with pytest.raises(InvalidError):
        sign([SECRET, "whsec_short"], MESSAGE_ID, timestamp=MOMENT, body=BODY)


def _mutations(
    headers: Mapping[str, str], body: bytes
) -> Iterator[tuple[Mapping[str, str], bytes]]:
    for name in ("webhook-id", "webhook-timestamp"):
        for changed in _flipped(headers[name].encode()):
            yield {**headers, name: changed.decode("latin-1")}, body
    for changed in _flipped(body):
        yield headers, changed


def _flipped(value: bytes) -> Iterator[bytes]:
    for bit in range(8 * len(value)):
        changed = bytearray(value)
        changed[bit // 8] ^= 1 << (bit % 8)
        yield bytes(changed)
