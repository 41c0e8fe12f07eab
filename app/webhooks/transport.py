"""An httpx transport that connects to nothing but addresses it has judged itself."""

import ssl
from collections.abc import AsyncIterable, AsyncIterator, Iterable
from typing import Protocol, cast

import httpcore
import httpx
from typing_extensions import override

from app.webhooks.addresses import AddressPolicy, Resolver, resolve

# Events come in bursts, so a connection is kept for a little; shorter than any
# server's own limit, so that we never write on one that it is just closing.
_KEEP_ALIVE_SECONDS = 2.0
_IDLE_CONNECTIONS = 50


class GuardedTransport(httpx.AsyncBaseTransport):
    """Sends requests over connections of a `GuardedBackend`, and in no other way.

    No proxy, no HTTP/2, no retry of its own, and no bound on how many connections are
    open: whoever sends bounds that. Errors are httpcore's, and `UrlRefusedError`.
    """

    def __init__(
        self, backend: httpcore.AsyncNetworkBackend, tls: ssl.SSLContext
    ) -> None:
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=tls,
            max_connections=None,
            max_keepalive_connections=_IDLE_CONNECTIONS,
            keepalive_expiry=_KEEP_ALIVE_SECONDS,
            network_backend=backend,
        )

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Return the answer as soon as its headers are there."""
        answer = await self._pool.handle_async_request(
            httpcore.Request(
                method=request.method,
                url=httpcore.URL(
                    scheme=request.url.raw_scheme,
                    host=request.url.raw_host,
                    port=request.url.port,
                    target=request.url.raw_path,
                ),
                headers=request.headers.raw,
                content=cast("AsyncIterable[bytes]", request.stream),
                extensions=request.extensions,
            )
        )
        return httpx.Response(
            status_code=answer.status,
            headers=answer.headers,
            stream=_AnswerStream(cast("_Stream", answer.stream)),
            extensions=answer.extensions,
        )

    @override
    async def aclose(self) -> None:
        """Close every connection, idle or not."""
        await self._pool.aclose()


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """Opens a connection only to an address that the policy allows.

    The name is looked up once for each connection, every answer is judged, and `dialer`
    is given the address itself: a name that resolves differently a moment later
    changes nothing. TLS still checks the certificate against the name.
    """

    def __init__(
        self,
        policy: AddressPolicy,
        *,
        resolver: Resolver,
        dialer: httpcore.AsyncNetworkBackend,
    ) -> None:
        self._policy = policy
        self._resolver = resolver
        self._dialer = dialer

    @override
    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Return a connection to the first allowed address of `host` that answers."""
        addresses = await resolve(
            host, port, policy=self._policy, resolver=self._resolver
        )
        failures: list[httpcore.ConnectError | httpcore.ConnectTimeout] = []
        for address in addresses:
            try:
                return await self._dialer.connect_tcp(
                    str(address), port, timeout, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failures.append(error)
        # What the best address said tells most.
        raise failures[0]


class _Stream(Protocol):
    def __aiter__(self) -> AsyncIterator[bytes]: ...

    async def aclose(self) -> None: ...


class _AnswerStream(httpx.AsyncByteStream):
    def __init__(self, stream: _Stream) -> None:
        self._stream = stream

    @override
    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._stream:
            yield chunk

    @override
    async def aclose(self) -> None:
        await self._stream.aclose()
