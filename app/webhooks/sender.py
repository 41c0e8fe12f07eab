"""Sends one attempt of a delivery, and tells what came of it whatever happens."""

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpcore
import httpx

from app.core.clock import Clock
from app.core.retry import Verdict, judge, parse_retry_after
from app.webhooks.addresses import AddressPolicy, Resolver, check_url
from app.webhooks.failures import (
    FAILURES,
    AttemptErrorCode,
    explain,
    explain_status,
)
from app.webhooks.transport import GuardedBackend, GuardedTransport

USER_AGENT = "Slipway-Webhooks/1"

# Standard Webhooks 1.0 asks for 15 to 30 seconds, from the first look-up to the last
# byte that counts.
TIMEOUT_SECONDS = 15.0
# For one address of several, so that a dead one leaves time for the next.
_CONNECT_SECONDS = 5.0

MOST_READ = 64 * 1024  # bytes of an answer; a longer one is cut off
HEAD_LENGTH = 1024  # bytes of it that are kept


@dataclass(frozen=True, kw_only=True, slots=True)
class SendRequest:
    """One POST: the headers are the signature's, the body is JSON as it was signed."""

    url: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class AttemptResult:
    """What came of one attempt; `error_code` and `error` are `None` after 2xx alone.

    `response_head` is the start of the answer's body as text without control
    characters, `retry_after` the wait that the receiver asked for, bounded.
    """

    status: int | None = None
    error_code: AttemptErrorCode | None = None
    error: str | None = None
    retry_after: timedelta | None = None
    response_head: str | None = None
    duration_seconds: float

    @property
    def verdict(self) -> Verdict:
        """Return what this means for the delivery."""
        return judge(self.status)


class Sender:
    """Posts to the addresses that callers registered, and to nothing else.

    The URL is checked at every attempt and the connection goes to the very address
    that was judged. Redirects are not followed, cookies not kept, proxies and CA files
    of the environment not used. It has no bound of its own on attempts at one time.
    One event loop only; `aclose` when done.
    """

    def __init__(
        self,
        policy: AddressPolicy,
        *,
        clock: Clock,
        resolver: Resolver,
        dialer: httpcore.AsyncNetworkBackend | None = None,
        tls: ssl.SSLContext | None = None,
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> None:
        self._policy = policy
        self._clock = clock
        self._timeout_seconds = timeout_seconds
        backend = GuardedBackend(
            policy, resolver=resolver, dialer=dialer or httpcore.AnyIOBackend()
        )
        self._client = httpx.AsyncClient(
            transport=GuardedTransport(
                backend, tls or httpx.create_ssl_context(trust_env=False)
            ),
            # An answer is stored, not read: unpacked it could be of any size.
            headers={"user-agent": USER_AGENT, "accept-encoding": "identity"},
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
            timeout=httpx.Timeout(None, connect=_CONNECT_SECONDS),
            follow_redirects=False,
            trust_env=False,
        )

    async def send(self, request: SendRequest) -> AttemptResult:
        """Post once and return what came of it; nothing a receiver does raises.

        A status counts as soon as it is there: a receiver that answers 2xx and never
        ends its body has accepted.
        """
        started = self._clock.monotonic()
        try:
            check_url(request.url, self._policy)
            response, head = await self._exchange(request)
        except FAILURES as error:
            failure = explain(error)
            return AttemptResult(
                error_code=failure.code,
                error=failure.text,
                duration_seconds=self._clock.monotonic() - started,
            )
        fault = explain_status(response.status_code)
        asked = response.headers.get("retry-after")
        return AttemptResult(
            status=response.status_code,
            error_code=fault.code if fault else None,
            error=fault.text if fault else None,
            retry_after=parse_retry_after(asked, self._clock.now()),
            response_head=head,
            duration_seconds=self._clock.monotonic() - started,
        )

    async def aclose(self) -> None:
        """Close every connection; for when no attempt is going on any more."""
        await self._client.aclose()

    async def _exchange(self, request: SendRequest) -> tuple[httpx.Response, str]:
        deadline = asyncio.get_running_loop().time() + self._timeout_seconds
        message = self._client.build_request(
            "POST",
            request.url,
            headers={"content-type": "application/json", **request.headers},
            content=request.body,
        )
        async with asyncio.timeout_at(deadline):
            response = await self._client.send(message, stream=True)
        try:
            head = await _read_head(response, deadline)
        finally:
            await response.aclose()
        return response, _visible(head)


async def _read_head(response: httpx.Response, deadline: float) -> bytes:
    head = bytearray()
    count = 0
    try:
        async with asyncio.timeout_at(deadline):
            async for chunk in response.aiter_raw():
                head += chunk[: HEAD_LENGTH - len(head)]
                count += len(chunk)
                if count >= MOST_READ:
                    break
    except FAILURES:
        # The status has come, and with it the answer: what follows is for people.
        return bytes(head)
    return bytes(head)


def _visible(head: bytes) -> str:
    text = head.decode("utf-8", errors="replace")
    return "".join(mark for mark in text if mark.isprintable() or mark == "\n")
