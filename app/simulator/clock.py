"""Simulated time: the wall's, `speed` times as fast, from the moment of the start."""

import asyncio
import time
from datetime import UTC, datetime


class SimulatedClock:
    """Time of the simulated Azure; it never goes back, also when its speed changes."""

    def __init__(self, speed: float = 1.0) -> None:
        self._speed = speed
        self._epoch = time.time()
        self._since = time.monotonic()
        self._passed = 0.0
        self._changed = asyncio.Event()

    @property
    def speed(self) -> float:
        """Simulated seconds in one of the wall's."""
        return self._speed

    def set_speed(self, speed: float) -> None:
        """Go on at another speed from now; who sleeps wakes by the new one."""
        self._passed, self._since = self.seconds(), time.monotonic()
        self._speed = speed
        self._wake()

    def skip(self, seconds: float) -> None:
        """Let `seconds` of simulated time pass at once."""
        self._passed += seconds
        self._wake()

    def seconds(self) -> float:
        """Return simulated seconds since the start."""
        return self._passed + (time.monotonic() - self._since) * self._speed

    def now(self) -> datetime:
        """Return the simulated moment, aware and in UTC."""
        return datetime.fromtimestamp(self._epoch + self.seconds(), UTC)

    def wall(self) -> float:
        """Return the wall's Unix time: what a client compares a token's end with."""
        return time.time()

    def wall_monotonic(self) -> float:
        """Return real seconds that never jump: what rates and Retry-After count in."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Return when `seconds` of simulated time have passed."""
        deadline = self.seconds() + seconds
        while (left := deadline - self.seconds()) > 0:
            changed = self._changed
            try:
                async with asyncio.timeout(left / self._speed):
                    await changed.wait()
            except TimeoutError:
                continue

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
