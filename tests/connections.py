"""Connections that no test leaves to the garbage collector, and how to tell.

In Python 3.11 a stream that nobody closed is reported by whatever test runs when it is
collected. After the other side's end the event loop itself no longer holds it.
"""

import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Listen = Callable[
    [Callable[[asyncio.StreamReader, asyncio.StreamWriter], None]],
    Awaitable[asyncio.Server],
]


@asynccontextmanager
async def accepting(handler: Handler, listen: Listen) -> AsyncIterator[asyncio.Server]:
    """Serve each connection by `handler`; all of them are closed in the end.

    `listen` starts the server: it is given what the server calls for a connection.
    """
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await handler(reader, writer)

    # No coroutine: one that is canceled at once never begins, and closes nothing.
    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        task.add_done_callback(lambda _: writer.close())
        if not server.is_serving():
            task.cancel()

    server = await listen(accept)
    try:
        yield server
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def left_open() -> list[asyncio.StreamWriter]:
    """Return the streams that nobody closed, whether somebody still holds them or not.

    A stream that was already collected has been reported, which fails the test too.
    """
    return [
        found
        for found in gc.get_objects()
        if isinstance(found, asyncio.StreamWriter) and not found.is_closing()
    ]
