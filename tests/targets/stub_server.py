"""A scoring server that is up at once; stands alone, because it runs in a jail.

Its behavior is in `behavior.json` beside the model: `answer` is what it says,
`fails` a message to die with while loading, `hangs` true to never get ready.
Asked to `crash` it ends its process, asked to `wait` it answers after a while.
"""

import asyncio
import json
import os
import sys
from pathlib import Path

MODEL = Path(os.environ["__pyfunc_model_path__"])  # noqa: SIM112 - MLflow's name
BEHAVIOR = json.loads((MODEL / "behavior.json").read_text())


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    length = 0
    for line in head.lower().split("\r\n"):
        if line.startswith("content-length:"):
            length = int(line.partition(":")[2])
    body = await reader.readexactly(length)
    if b"crash" in body:
        sys.stderr.write("asked to crash\n")
        os._exit(9)
    if b"wait" in body:
        await asyncio.sleep(0.5)
    text = "\n" if head.startswith("GET /ping") else json.dumps(BEHAVIOR["answer"])
    writer.write(
        f"HTTP/1.1 200 OK\r\ncontent-length: {len(text)}\r\n"
        f"content-type: application/json\r\nconnection: close\r\n\r\n{text}".encode()
    )
    await writer.drain()
    writer.close()


async def main() -> None:
    sys.stderr.write("loading\n")
    if "fails" in BEHAVIOR:
        raise RuntimeError(BEHAVIOR["fails"])
    if BEHAVIOR.get("hangs"):
        await asyncio.Event().wait()
    server = await asyncio.start_unix_server(answer, sys.argv[-1])
    await server.serve_forever()


asyncio.run(main())
