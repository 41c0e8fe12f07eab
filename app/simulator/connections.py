"""HTTP on one accepted connection, which a fault can cut at any moment."""

import asyncio
import ssl

import uvicorn
from starlette.types import ASGIApp, Scope
from typing_extensions import override
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

_CONNECTION = "slipway.simulator.connection"
_ABSOLUTE = "slipway.simulator.absolute"

# Longer than any client keeps one: a connection that the server closes just when its
# client writes looks like a lost answer, and those are faults, made on purpose.
_KEEP_ALIVE_SECONDS = 300


class _Protocol(HttpToolsProtocol):
    """uvicorn's protocol, which tells the application how its target was written."""

    @override
    def connection_made(  # type: ignore[override]
        self, transport: asyncio.Transport
    ) -> None:
        super().connection_made(transport)
        self.app_state = {_CONNECTION: transport}

    @override
    def on_headers_complete(self) -> None:
        self.scope["state"][_ABSOLUTE] = not self.url.startswith(b"/")
        super().on_headers_complete()


class Connections:
    """Serves `app` on connections that were accepted elsewhere."""

    def __init__(self, app: ASGIApp) -> None:
        self._config = uvicorn.Config(
            app,
            http=_Protocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            # The peer is who is at the other end, whatever its headers say.
            proxy_headers=False,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        )
        self._state = ServerState()

    def protocol(self) -> asyncio.Protocol:
        """Return what serves one more connection."""
        return _Protocol(config=self._config, server_state=self._state, app_state={})

    async def close(self) -> None:
        """Cut every connection; what is being worked on ends with it."""
        for connection in list(self._state.connections):
            connection.transport.abort()
        tasks = list(self._state.tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def cut(scope: Scope) -> None:
    """End the connection that `scope` came on, without another byte."""
    scope["state"][_CONNECTION].abort()


def is_absolute(scope: Scope) -> bool:
    """Tell whether the target names a host, as a proxy is asked."""
    return bool(scope["state"].get(_ABSOLUTE))


def is_tls(scope: Scope) -> bool:
    """Tell whether the request came inside TLS."""
    transport = scope["state"][_CONNECTION]
    return isinstance(
        transport.get_extra_info("ssl_object"), ssl.SSLObject | ssl.SSLSocket
    )
