"""A client in a process of its own: `python -m bench.load`, a job as JSON on stdin.

It answers with the seconds that the whole took and each request's, as JSON.
"""

import asyncio
import json
import sys
import time
from dataclasses import asdict, dataclass, field
from typing import Any

import httpx


@dataclass(frozen=True, kw_only=True)
class Load:
    """`count` requests, `clients` at once; `{n}` in path, body and key is counted."""

    address: str
    method: str
    path: str
    count: int
    clients: int = 16
    headers: dict[str, str] = field(default_factory=dict)
    body: dict[str, Any] | None = None
    unique_header: str | None = None
    expect: int = 200
    tag: str = "d"


@dataclass(frozen=True, kw_only=True)
class Result:
    """How long the whole took, and each request, in seconds."""

    seconds: float
    each: list[float]

    @property
    def per_second(self) -> float:
        """Return the throughput."""
        return len(self.each) / self.seconds

    def quantile(self, share: float) -> float:
        """Return the time that `share` of the requests did not exceed."""
        ordered = sorted(self.each)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


async def run(load: Load) -> Result:
    """Send the load from a process of its own and return what it measured."""
    client = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.load"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await client.communicate(json.dumps(asdict(load)).encode())
    return Result(**json.loads(output))


async def _send(load: Load) -> Result:
    numbers = iter(range(load.count))
    each: list[float] = []
    limits = httpx.Limits(max_connections=load.clients)
    async with httpx.AsyncClient(
        base_url=load.address, headers=load.headers, limits=limits, timeout=60
    ) as client:

        async def work() -> None:
            for number in numbers:
                request = _request(client, load, number)
                begin = time.perf_counter()
                answer = await client.send(request)
                each.append(time.perf_counter() - begin)
                if answer.status_code != load.expect:
                    raise RuntimeError(f"{answer.status_code}: {answer.text}")

        begin = time.perf_counter()
        await asyncio.gather(*(work() for _ in range(load.clients)))
    return Result(seconds=time.perf_counter() - begin, each=each)


def _request(client: httpx.AsyncClient, load: Load, number: int) -> httpx.Request:
    unique = f"{load.tag}-{number}"
    content = None
    if load.body is not None:
        content = json.dumps(load.body).replace("{n}", unique).encode()
    headers = {"Content-Type": "application/json"}
    if load.unique_header is not None:
        headers[load.unique_header] = unique
    path = load.path.replace("{n}", unique)
    return client.build_request(load.method, path, content=content, headers=headers)


if __name__ == "__main__":
    print(json.dumps(asdict(asyncio.run(_send(Load(**json.load(sys.stdin)))))))
