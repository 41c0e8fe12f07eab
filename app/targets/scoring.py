"""Calling scoring addresses on behalf of the API's callers."""

import asyncio
from ipaddress import ip_address
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import httpx

from app.core.errors import UpstreamError
from app.core.target import Invocation, InvocationResult

_LARGEST_ANSWER = 16 * 1024 * 1024
_MOST_CONNECTIONS = 256
# Never reached: each call has a deadline of its own.
_LONGEST_SECONDS = 3600.0


class HttpScorer:
    """Forwards scoring requests as they are, and answers as they come.

    Redirects are answers like any other: what a model's server names is not followed.
    Only addresses outside of this machine are asked through the proxies and with the
    certificates that the environment names. An async context manager.
    """

    def __init__(self, *, largest_answer: int = _LARGEST_ANSWER) -> None:
        self._largest_answer = largest_answer
        self._here = _client(trust_env=False)
        self._elsewhere = _client(trust_env=True)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._here.aclose()
        await self._elsewhere.aclose()

    async def score(self, uri: str, call: Invocation) -> InvocationResult:
        """Return what the model answered, whatever its status.

        Raises UpstreamError if nobody answered in `call.timeout_seconds`, or with
        more than 16 MiB.
        """
        client = self._here if _is_loopback(uri) else self._elsewhere
        try:
            async with asyncio.timeout(call.timeout_seconds):
                return await self._post(client, uri, call)
        except (TimeoutError, httpx.TimeoutException) as error:
            raise UpstreamError(
                f"The endpoint did not answer in {call.timeout_seconds:g} seconds."
            ) from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise UpstreamError("The endpoint could not be reached.") from error

    async def _post(
        self, client: httpx.AsyncClient, uri: str, call: Invocation
    ) -> InvocationResult:
        headers = {"content-type": call.content_type}
        if call.authorization is not None:
            headers["authorization"] = call.authorization
        async with client.stream(
            "POST", uri, content=call.body, headers=headers
        ) as response:
            body = bytearray()
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > self._largest_answer:
                    raise UpstreamError("The endpoint's answer is too large.")
            kind = response.headers.get("content-type", "application/octet-stream")
            return InvocationResult(
                status=response.status_code,
                body=bytes(body),
                headers={"content-type": kind},
            )


def _client(*, trust_env: bool) -> httpx.AsyncClient:
    # No connection is kept: one that the other side has just closed would fail a
    # request that may not be sent twice.
    limits = httpx.Limits(
        max_connections=_MOST_CONNECTIONS, max_keepalive_connections=0
    )
    return httpx.AsyncClient(
        trust_env=trust_env,
        timeout=_LONGEST_SECONDS,
        limits=limits,
        follow_redirects=False,
    )


def _is_loopback(uri: str) -> bool:
    try:
        return ip_address(urlsplit(uri).hostname or "").is_loopback
    except ValueError:
        return False
