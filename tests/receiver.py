"""A real webhook receiver on loopback: keeps what it gets, answers by a script.

    async with receiving(500, Answer(hangs=True), 204) as receiver:
        ...  # three requests to receiver.url get these; every later one 200
        first, second, third = await receiver.wait_for(3)

It speaks HTTP/1.1 over sockets, in the event loop of the test.
"""

import asyncio
import json
import ssl
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import h11

from tests.connections import accepting


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What the receiver does with one request.

    `hangs`: it never answers. `leaves_open`: it sends status, headers and body, and
    never ends it. `raw`: these bytes instead of HTTP, then it closes.
    """

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    hangs: bool = False
    leaves_open: bool = False
    raw: bytes | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ReceivedRequest:
    """One request as it came over the wire; header names are lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:  # noqa: ANN401 - whatever the sender chose to send
        """Return the body read as JSON."""
        return json.loads(self.body)


class Receiver:
    """The state of one running receiver; `receiving` makes it."""

    def __init__(self, answers: tuple[int | Answer, ...]) -> None:
        self.requests: list[ReceivedRequest] = []
        self.connections_seen = 0
        self.connections_open = 0
        self.port = 0
        self.scheme = "http"
        self._script = deque(answers)
        self._changed = asyncio.Condition()
        self._ending = asyncio.Event()

    @property
    def url(self) -> str:
        """Return the address to register."""
        return f"{self.scheme}://127.0.0.1:{self.port}/events"

    def then(self, *answers: int | Answer) -> None:
        """Answer the next requests by these, after what is scripted already."""
        self._script.extend(answers)

    async def wait_for(
        self, count: int, *, timeout_seconds: float = 10
    ) -> list[ReceivedRequest]:
        """Return the requests once there are `count`; raise `TimeoutError` else."""
        async with asyncio.timeout(timeout_seconds), self._changed:
            await self._changed.wait_for(lambda: len(self.requests) >= count)
            return list(self.requests)

    async def wait_until_idle(self, *, timeout_seconds: float = 10) -> None:
        """Return once no connection is open; raise `TimeoutError` if one stays."""
        async with asyncio.timeout(timeout_seconds), self._changed:
            await self._changed.wait_for(lambda: self.connections_open == 0)

    async def handle(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Serve one connection until either side is done; the caller closes it."""
        await self._count(1)
        try:
            connection = h11.Connection(h11.SERVER)
            while request := await _read_request(connection, reader):
                async with self._changed:
                    self.requests.append(request)
                    self._changed.notify_all()
                answer = self._next_answer()
                await self._respond(connection, answer, reader=reader, writer=writer)
                if connection.our_state is not h11.DONE:
                    break
                connection.start_next_cycle()
        except (h11.ProtocolError, ConnectionError, ssl.SSLError):
            # A client may go away at any moment; what counts was recorded before.
            return
        finally:
            await self._count(-1)

    def end(self) -> None:
        """Let go of every answer that hangs."""
        self._ending.set()

    def _next_answer(self) -> Answer:
        chosen = self._script.popleft() if self._script else 200
        return Answer(status=chosen) if isinstance(chosen, int) else chosen

    async def _respond(
        self,
        connection: h11.Connection,
        answer: Answer,
        *,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        if answer.raw is not None:
            writer.write(answer.raw)
            await writer.drain()
            return
        if answer.hangs:
            await self._hang(reader)
            return
        for part in _parts(connection, answer):
            writer.write(part)
            await writer.drain()
        if answer.leaves_open:
            await self._hang(reader)

    async def _hang(self, reader: asyncio.StreamReader) -> None:
        waits = {
            asyncio.create_task(reader.read()),
            asyncio.create_task(self._ending.wait()),
        }
        _, pending = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in pending:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)

    async def _count(self, change: int) -> None:
        async with self._changed:
            self.connections_open += change
            self.connections_seen += max(change, 0)
            self._changed.notify_all()


@asynccontextmanager
async def receiving(
    *answers: int | Answer, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Receiver]:
    """Run a receiver on a free port of 127.0.0.1 and leave nothing of it behind."""
    receiver = Receiver(answers)
    listen = partial(asyncio.start_server, host="127.0.0.1", port=0, ssl=tls)
    async with accepting(receiver.handle, listen) as server:
        receiver.port = server.sockets[0].getsockname()[1]
        receiver.scheme = "http" if tls is None else "https"
        try:
            yield receiver
        finally:
            receiver.end()


async def _read_request(
    connection: h11.Connection, reader: asyncio.StreamReader
) -> ReceivedRequest | None:
    head: h11.Request | None = None
    body = b""
    while True:
        match connection.next_event():
            case h11.NEED_DATA:
                connection.receive_data(await reader.read(65536))
            case h11.Request() as request:
                head = request
            case h11.Data(data=data):
                body += bytes(data)
            case h11.EndOfMessage() if head is not None:
                return ReceivedRequest(
                    method=head.method.decode(),
                    path=head.target.decode(),
                    headers={
                        name.decode(): value.decode() for name, value in head.headers
                    },
                    body=body,
                )
            case _:
                return None


def _parts(connection: h11.Connection, answer: Answer) -> list[bytes]:
    headers = [(name.lower(), value) for name, value in answer.headers.items()]
    if not answer.leaves_open:
        headers.append(("content-length", str(len(answer.body))))
    events: list[h11.Event] = [
        h11.Response(status_code=answer.status, headers=headers),
        h11.Data(data=answer.body),
    ]
    if not answer.leaves_open:
        events.append(h11.EndOfMessage())
    return [connection.send(event) or b"" for event in events]
