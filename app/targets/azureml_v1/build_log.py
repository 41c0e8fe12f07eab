"""The log of an image's build, at an address in storage that opens by itself."""

import asyncio
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import httpx

from app.targets.azure_transport import azure_client
from app.targets.plain_text import plain_text

_SECONDS = 20.0
_LARGEST = 8 * 1024 * 1024  # bytes
_LONGEST_LINE = 1000  # characters
_OK = 200


class BuildLogs:
    """Reads build logs, and sends nobody's token along. An async context manager."""

    def __init__(self) -> None:
        self._client = azure_client()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._client.aclose()

    async def tail(self, operation: Mapping[str, Any], count: int) -> list[str]:
        """Return the last lines of the log that an operation names.

        Empty if it names none, or if it cannot be read.
        """
        url = operation.get("operationLog")
        if not isinstance(url, str) or urlsplit(url).scheme != "https":
            return []
        try:
            async with asyncio.timeout(_SECONDS):
                text = await self._read(url)
        except (TimeoutError, httpx.HTTPError, httpx.InvalidURL):
            return []
        lines = text.splitlines()[-count:]
        return [plain_text(line, longest=_LONGEST_LINE) for line in lines]

    async def _read(self, url: str) -> str:
        async with self._client.stream("GET", url) as response:
            if response.status_code != _OK:
                return ""
            body = bytearray()
            async for chunk in response.aiter_bytes():
                body += chunk
                # The end is what tells.
                del body[:-_LARGEST]
        return body.decode("utf-8", errors="replace")
