"""The one port: TLS, a CONNECT proxy that leads to itself alone, and plain HTTP.

Nothing that arrives here ever leaves: a tunnel to one of Azure's names ends in this
very process, and one to any other name is refused and written down.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field

from app.simulator.connections import Connections

_TLS_HANDSHAKE = 0x16
_HEADER_LIMIT = 64 * 1024
_FIRST_BYTE_SECONDS = 60
_BACKLOG = 1024
_PAUSE_SECONDS = 0.05


@dataclass(kw_only=True)
class Front:
    """Accepts connections on `listening` and decides by their first byte."""

    listening: socket.socket
    context: ssl.SSLContext
    connections: Connections
    knows: Callable[[str], bool]
    refuse: Callable[[str], None]
    _tasks: "set[asyncio.Task[None]]" = field(default_factory=set)

    async def run(self) -> None:
        """Accept until canceled."""
        loop = asyncio.get_running_loop()
        try:
            while True:
                try:
                    accepted, _ = await loop.sock_accept(self.listening)
                except OSError:
                    # Out of descriptors, or a client that was gone at once.
                    await asyncio.sleep(_PAUSE_SECONDS)
                    continue
                task = asyncio.create_task(self._take(accepted))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
        finally:
            for task in list(self._tasks):
                task.cancel()

    async def _take(self, accepted: socket.socket) -> None:
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            async with asyncio.timeout(_FIRST_BYTE_SECONDS):
                await self._lead(accepted)
        except (OSError, asyncio.CancelledError):
            # A client that went away, spoke no TLS we know or does not trust the CA.
            accepted.close()

    async def _lead(self, accepted: socket.socket) -> None:
        first = await _peek(accepted, 1)
        if not first:
            accepted.close()
        elif first[0] == _TLS_HANDSHAKE:
            await self._serve(accepted, self.context)
        elif first == b"C":
            # CONNECT is the only method with this letter.
            await self._tunnel(accepted)
        else:
            await self._serve(accepted, None)

    async def _tunnel(self, accepted: socket.socket) -> None:
        host, port = _target(await _header(accepted))
        loop = asyncio.get_running_loop()
        if port != "443" or not self.knows(host):
            self.refuse(f"{host}:{port}")
            await loop.sock_sendall(accepted, _refusal(host))
            accepted.close()
            return
        await loop.sock_sendall(
            accepted, b"HTTP/1.1 200 Connection established\r\n\r\n"
        )
        await self._serve(accepted, self.context)

    async def _serve(
        self, accepted: socket.socket, context: ssl.SSLContext | None
    ) -> None:
        await asyncio.get_running_loop().connect_accepted_socket(
            self.connections.protocol, accepted, ssl=context
        )


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens at `host`; port 0 takes a free one."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError:
        listening.close()
        raise
    listening.listen(_BACKLOG)
    listening.settimeout(0)
    return listening


async def _peek(accepted: socket.socket, count: int) -> bytes:
    """Return what has come, and leave it there for who serves the connection."""
    while True:
        try:
            return accepted.recv(count, socket.MSG_PEEK)
        except BlockingIOError:
            await _until_readable(accepted)


async def _until_readable(accepted: socket.socket) -> None:
    loop, readable = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(accepted.fileno(), readable.set)
    try:
        await readable.wait()
    finally:
        loop.remove_reader(accepted.fileno())


async def _header(accepted: socket.socket) -> bytes:
    """Take the header of a CONNECT, and not one byte of what follows it."""
    loop, header = asyncio.get_running_loop(), b""
    while b"\r\n\r\n" not in header and len(header) < _HEADER_LIMIT:
        known = await _peek(accepted, _HEADER_LIMIT)
        if not known:
            break
        end = (header + known).find(b"\r\n\r\n")
        count = len(known) if end < 0 else end + 4 - len(header)
        header += await loop.sock_recv(accepted, count)
    return header


def _target(header: bytes) -> tuple[str, str]:
    line = header.split(b"\r\n", 1)[0].decode("latin-1")
    words = line.split(" ")
    host, _, port = (words[1] if len(words) > 1 else "").rpartition(":")
    return host.lower(), port


def _refusal(host: str) -> bytes:
    body = (
        f"{host} is not one of the names that the simulated Azure answers for.\n"
    ).encode("latin-1", "replace")
    return (
        b"HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain\r\nConnection: close\r\n"
        b"Content-Length: " + str(len(body)).encode() + b"\r\n\r\n" + body
    )
