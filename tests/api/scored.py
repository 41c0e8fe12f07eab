"""A scoring server on loopback that answers as it is told."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

from tests.connections import accepting


@dataclass(kw_only=True)
class Scored:
    """One server: where it is, and what it got.

    With `accepts`, whoever sends another Authorization gets 401.
    """

    answer: bytes
    status: int
    url: str = ""
    bodies: list[bytes] = field(default_factory=list)
    accepts: str | None = None
    authorizations: list[str | None] = field(default_factory=list)

    async def serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        lines = [line.partition(": ") for line in head.decode().splitlines()]
        headers = {name.lower(): value for name, _, value in lines}
        length = int(headers["content-length"])
        self.authorizations.append(headers.get("authorization"))
        is_let_in = self.accepts in {None, headers.get("authorization")}
        self.bodies.append(await reader.readexactly(length))
        writer.write(
            b"HTTP/1.1 %d Told\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\nConnection: close\r\n\r\n%b"
            % (
                self.status if is_let_in else 401,
                len(self.answer),
                self.answer,
            )
        )
        await writer.drain()


@asynccontextmanager
async def scored(answer: bytes, *, status: int = 200) -> AsyncIterator[Scored]:
    """Serve `answer` to whatever is sent."""
    model = Scored(answer=answer, status=status)
    listen = partial(asyncio.start_server, host="127.0.0.1", port=0)
    async with accepting(model.serve, listen) as server:
        host, port = server.sockets[0].getsockname()
        model.url = f"http://{host}:{port}/invocations"
        yield model
