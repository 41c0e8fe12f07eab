"""The public address of a local endpoint, which outlives the processes behind it.

It forwards each request on a connection of its own, as `Connection: close`, so that
every request goes to the revision that has the traffic at that moment: a switch breaks
none. What was sent to the revision of before is finished by that one.
"""

import asyncio
from collections import Counter
from contextlib import suppress
from pathlib import Path

from app.targets.local_http import (
    BUSY,
    GONE,
    LONGEST_HEAD,
    NOTHING_SERVES,
    TOO_LONG,
    TOO_SLOW,
    UNREADABLE,
    Problem,
    rewrite_head,
)

_HOST = "127.0.0.1"
_HEAD_SECONDS = 10.0
_LINGER_SECONDS = 1.0
_CHUNK = 64 * 1024
_MOST_CONNECTIONS = 256

_Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class LocalEndpoint:
    """A loopback port in front of whichever revision has the traffic."""

    def __init__(
        self,
        *,
        head_seconds: float = _HEAD_SECONDS,
        max_connections: int = _MOST_CONNECTIONS,
    ) -> None:
        self._head_seconds = head_seconds
        self._max_connections = max_connections
        self._server: asyncio.Server | None = None
        self._is_closed = False
        self._revision: Path | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self._in_flight: Counter[Path] = Counter()
        self._finished = asyncio.Event()

    @property
    def port(self) -> int:
        """Return the port; it stays the same until `close`."""
        if self._server is None:
            raise RuntimeError("the endpoint is not open")
        return int(self._server.sockets[0].getsockname()[1])

    async def open(self, wanted_port: int) -> None:
        """Listen on `wanted_port` if it is free, else (and for 0) on a free one."""
        try:
            self._server = await self._listen(wanted_port)
        except OSError:
            self._server = await self._listen(0)

    def shift(self, revision: Path) -> None:
        """Send every request from now on to the server at the socket `revision`."""
        self._revision = revision

    async def withdraw(self, revision: Path) -> None:
        """Send `revision` nothing more; return when it has answered everything."""
        if self._revision == revision:
            self._revision = None
        while self._in_flight[revision]:
            self._finished.clear()
            await self._finished.wait()

    async def close(self) -> None:
        """Stop listening, and break off what is still being forwarded."""
        self._is_closed = True
        if self._server is not None:
            await _stop(self._server)
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _listen(self, port: int) -> asyncio.Server:
        return await asyncio.start_server(self._accept, _HOST, port, limit=LONGEST_HEAD)

    def _accept(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        # It may have been on its way when the server was closed.
        if self._is_closed:
            writer.close()
            return
        task = asyncio.create_task(self._serve((reader, writer)))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)
        # Not in the task: one that is canceled at once never begins.
        task.add_done_callback(lambda _: writer.close())

    async def _serve(self, client: _Streams) -> None:
        # That the client goes away is its right, at any moment.
        with suppress(OSError):
            problem = await self._answer(client)
            if problem is not None:
                client[1].write(problem.response())
            await _linger(client)

    async def _answer(self, client: _Streams) -> Problem | None:
        """Forward one request; return what to say where nobody has answered."""
        if len(self._connections) > self._max_connections:
            return BUSY
        try:
            async with asyncio.timeout(self._head_seconds):
                head = await client[0].readuntil(b"\r\n\r\n")
        except TimeoutError:
            return TOO_SLOW
        except asyncio.LimitOverrunError:
            return TOO_LONG
        except asyncio.IncompleteReadError as error:
            return UNREADABLE if error.partial else None
        match rewrite_head(head):
            case Problem() as problem:
                return problem
            case bytes() as rewritten:
                return await self._forward(client, rewritten)

    async def _forward(self, client: _Streams, head: bytes) -> Problem | None:
        revision = self._revision
        if revision is None:
            return NOTHING_SERVES
        self._in_flight[revision] += 1
        try:
            return await _exchange(client, head, revision)
        finally:
            self._in_flight[revision] -= 1
            if not self._in_flight[revision]:
                del self._in_flight[revision]
            self._finished.set()


async def _stop(server: asyncio.Server) -> None:
    # asyncio leaves a connection to the garbage collector if the server is closed
    # between its acceptance and its transport: that takes one turn of the loop.
    loop = asyncio.get_running_loop()
    for listening in server.sockets:
        loop.remove_reader(listening.fileno())
    try:
        await asyncio.sleep(0)
    finally:
        server.close()


async def _exchange(client: _Streams, head: bytes, revision: Path) -> Problem | None:
    try:
        server = await asyncio.open_unix_connection(revision)
    except OSError:
        return NOTHING_SERVES
    body = asyncio.create_task(_send_body(client[0], server[1]))
    try:
        server[1].write(head)
        return None if await _relay(server[0], client[1]) else GONE
    finally:
        body.cancel()
        # Before the wait: a second cancellation must not leave it open.
        server[1].close()
        await asyncio.gather(body, return_exceptions=True)


async def _send_body(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    # The end of what the client sends is not passed on: the server would take it for
    # the client's leaving, and many clients close their half early.
    while chunk := await reader.read(_CHUNK):
        writer.write(chunk)
        await writer.drain()


async def _relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    """Carry the answer over; return whether there was one."""
    has_answered = False
    while chunk := await _read(reader):
        has_answered = True
        writer.write(chunk)
        await writer.drain()
    return has_answered


async def _read(reader: asyncio.StreamReader) -> bytes:
    # A process that was killed resets its connections: an end like any other.
    with suppress(ConnectionError):
        return await reader.read(_CHUNK)
    return b""


async def _linger(client: _Streams) -> None:
    """Let the client read its answer: closing on unread input would throw it away."""
    reader, writer = client
    await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()
    with suppress(TimeoutError):
        async with asyncio.timeout(_LINGER_SECONDS):
            while await reader.read(_CHUNK):
                pass
