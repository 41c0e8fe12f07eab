"""A scoring server on loopback that answers as it is told."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass(kw_only=True)
class Scored:
    """One server: where it is, and the bodies that it got."""

    answer: bytes
    status: int
    url: str = ""
    bodies: list[bytes] = field(default_factory=list)

    async def serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = int(head.split(b"content-length: ")[1].split(b"\r\n")[0])
        self.bodies.append(await reader.readexactly(length))
        writer.write(
            b"HTTP/1.1 %d Told\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\nConnection: close\r\n\r\n%b"
            % (self.status, len(self.answer), self.answer)
        )
        await writer.drain()
        writer.close()


@asynccontextmanager
async def scored(answer: bytes, *, status: int = 200) -> AsyncIterator[Scored]:
    """Serve `answer` to whatever is sent."""
    model = Scored(answer=answer, status=status)
    server = await asyncio.start_server(model.serve, "127.0.0.1", 0)
    async with server:
        host, port = server.sockets[0].getsockname()
        model.url = f"http://{host}:{port}/invocations"
        yield model
