"""A webhook receiver as a caller of Slipway would write one; verifies what it gets."""

import json
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks.webhooks import Webhook, WebhookVerificationError
from typing_extensions import override

_LARGEST_BODY = 1024 * 1024
_POLL_SECONDS = 0.05  # how soon it notices that it is to end


@dataclass(frozen=True, kw_only=True, slots=True)
class ReceivedEvent:
    """One event that came; `is_verified` by the receiver's own secret."""

    event_id: str
    type: str
    sequence: int
    is_verified: bool


class Receiver:
    """Keeps what came, each event once: a delivery may come more than once."""

    def __init__(self, secret: str) -> None:
        self._webhook = Webhook(secret)
        self._received: dict[str, ReceivedEvent] = {}
        self._changed = threading.Condition()
        self.url = ""
        self.last_headers: dict[str, str] = {}

    def take(self, body: bytes, headers: dict[str, str]) -> bool:
        """Keep one request and say whether its signature was right."""
        is_verified = self._is_signed(body, headers)
        envelope = json.loads(body)
        received = ReceivedEvent(
            event_id=str(envelope["id"]),
            type=str(envelope["type"]),
            sequence=int(envelope["sequence"]),
            is_verified=is_verified,
        )
        with self._changed:
            self.last_headers = {
                name: value
                for name, value in headers.items()
                if name.startswith("webhook-")
            }
            self._received[received.event_id] = received
            self._changed.notify_all()
        return is_verified

    def wait_for(
        self, event_ids: Collection[str], *, seconds: float
    ) -> list[ReceivedEvent]:
        """Return everything that came, by number, once all of `event_ids` did.

        Raises TimeoutError, naming how many are missing.
        """
        deadline = time.monotonic() + seconds
        with self._changed:
            while missing := set(event_ids) - self._received.keys():
                left = deadline - time.monotonic()
                if left <= 0:
                    raise TimeoutError(
                        f"{len(missing)} webhooks did not come in {seconds:g} s"
                    )
                self._changed.wait(left)
            return sorted(self._received.values(), key=lambda event: event.sequence)

    def _is_signed(self, body: bytes, headers: dict[str, str]) -> bool:
        try:
            self._webhook.verify(body, headers)
        except WebhookVerificationError:
            return False
        return True


@contextmanager
def receiving(secret: str) -> Iterator[Receiver]:
    """Run a receiver on a free port of this machine while the block runs."""
    receiver = Receiver(secret)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = min(int(self.headers.get("content-length", 0)), _LARGEST_BODY)
            headers = {name.lower(): value for name, value in self.headers.items()}
            is_verified = receiver.take(self.rfile.read(length), headers)
            self.send_response(204 if is_verified else 400)
            self.end_headers()

        @override
        def log_message(self, format: str, *args: Any) -> None:
            """Keep the terminal for the demo's own words."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver.url = f"http://127.0.0.1:{server.server_port}/events"
    thread = threading.Thread(
        target=server.serve_forever, args=(_POLL_SECONDS,), name="receiver", daemon=True
    )
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
