"""Signatures by Standard Webhooks 1.0, which any of its libraries verifies."""

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from datetime import datetime

from app.core.webhook import parse_secret

_MESSAGE_ID = re.compile(r"[A-Za-z0-9_-]{1,255}")


def sign(
    secrets: Sequence[str], message_id: str, *, timestamp: datetime, body: bytes
) -> Mapping[str, str]:
    """Return the three headers that prove `body`, `message_id` and `timestamp`.

    There is one `v1` signature (HMAC-SHA-256) for each `whsec_…` secret, so that a
    receiver may know either one while a secret is being replaced. Sign every attempt
    anew with its own time: receivers refuse old ones (five minutes is usual).
    Raise `ValueError` without a secret, on a naive time, or on an id that could be
    confused with the parts that it is joined to.
    """
    if not secrets or timestamp.tzinfo is None:
        raise ValueError("a signature needs a secret and an aware time")
    if not _MESSAGE_ID.fullmatch(message_id):
        raise ValueError("a webhook-id is letters, digits, `_` and `-`")
    seconds = str(int(timestamp.timestamp()))
    content = b".".join([message_id.encode(), seconds.encode(), body])
    digests = (hmac.digest(parse_secret(s), content, hashlib.sha256) for s in secrets)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": seconds,
        "webhook-signature": " ".join(
            f"v1,{base64.b64encode(digest).decode('ascii')}" for digest in digests
        ),
    }
