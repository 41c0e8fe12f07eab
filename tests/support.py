"""What several test modules need; nothing here is about one part of Slipway."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar, overload

_Answer = TypeVar("_Answer")

_POLL_SECONDS = 0.02


@overload
async def eventually(
    claim: Callable[[], Coroutine[Any, Any, _Answer]], *, within_seconds: float = ...
) -> _Answer: ...


@overload
async def eventually(
    claim: Callable[[], _Answer], *, within_seconds: float = ...
) -> _Answer: ...


async def eventually(
    claim: Callable[[], _Answer | Awaitable[_Answer]], *, within_seconds: float = 10.0
) -> _Answer:
    """Return the first true answer of `claim`, a plain or an async callable.

    Fails the test if there is none in time. Exceptions pass.
    """
    deadline = time.monotonic() + within_seconds
    while True:
        answer = claim()
        result = await answer if inspect.isawaitable(answer) else answer
        if result:
            return result
        assert time.monotonic() < deadline, f"not true in {within_seconds:g} s"
        await asyncio.sleep(_POLL_SECONDS)
