"""Time and new ids come from here alone, so that a test can hold both still."""

import asyncio
import secrets
import time
from datetime import UTC, datetime
from typing import Protocol

_MONOTONIC = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
# Crockford's base 32 without its vowel-like doubles, lower case: ids sort by time.
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


class Clock(Protocol):
    """Wall time for records, monotonic time for waits, and the waiting itself."""

    def now(self) -> datetime:
        """Return the present moment, aware and in UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never jump, from an arbitrary start."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return no sooner than `seconds` from now."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """Return the present moment, aware and in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds since an arbitrary start, unmoved by clock changes.

        On Linux they go on while the machine is suspended: a lease must not outlive
        a pause in which everybody else's time went by.
        """
        return time.clock_gettime(_MONOTONIC)

    async def sleep(self, seconds: float) -> None:
        """Let the event loop run for `seconds`."""
        await asyncio.sleep(seconds)


class Ids(Protocol):
    """A source of ids that are unique and sort in the order they were made."""

    def new(self, prefix: str) -> str:
        """Return `<prefix>_` and 26 characters (a ULID: 48 bits of time, 80 random)."""
        ...


class RandomIds:
    """ULIDs from the operating system's randomness."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def new(self, prefix: str) -> str:
        """Return an id whose first ten characters are its millisecond."""
        number = int(self._clock.now().timestamp() * 1000) << 80
        number |= secrets.randbits(80)
        return f"{prefix}_{encode_base32(number, length=26)}"


def encode_base32(number: int, *, length: int) -> str:
    """Return `number` in Crockford's base 32, padded to `length` characters."""
    characters = [_ALPHABET[(number >> (5 * i)) & 31] for i in range(length)]
    return "".join(reversed(characters))
