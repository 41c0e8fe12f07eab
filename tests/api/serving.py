"""The application behind a real server on loopback, and streams read from it."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
import uvicorn

from tests.api.house import Api


@asynccontextmanager
async def served(api: Api) -> AsyncIterator[httpx.AsyncClient]:
    """Serve the application; the client is the house's admin, over TCP."""
    with contextlib.closing(socket.socket()) as listening:
        listening.bind(("127.0.0.1", 0))
        host, port = listening.getsockname()
        config = uvicorn.Config(
            api.app,
            lifespan="off",
            log_config=None,
            timeout_graceful_shutdown=5,
        )
        server = uvicorn.Server(config)
        # Not `serve`: the signal handlers are pytest's own.
        serving = asyncio.create_task(server._serve(sockets=[listening]))  # noqa: SLF001
        try:
            async with httpx.AsyncClient(
                base_url=f"http://{host}:{port}", headers=dict(api.admin.headers)
            ) as client:
                yield client
        finally:
            api.stopping.set()
            server.should_exit = True
            await serving


@dataclass(frozen=True, kw_only=True)
class Frame:
    """One frame of a stream; a comment has no fields."""

    id: str = ""
    event: str = ""
    data: str = ""
    comment: str = ""


async def frames(response: httpx.Response) -> AsyncIterator[Frame]:
    """Yield the frames that tell of an event, or keep the connection alive."""
    fields: dict[str, str] = {}
    async for line in response.aiter_lines():
        name, _, value = line.partition(": ")
        if line.startswith(":"):
            yield Frame(comment=value)
        elif line and name != "retry":
            fields[name] = value
        elif not line and fields:
            yield Frame(**fields)
            fields = {}
