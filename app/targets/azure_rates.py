"""One worker's share of the calls that Azure allows, kept to by waiting in line.

Azure Resource Manager takes 25 reads and 10 writes a second for each subscription and
principal (request-limits-and-throttling), and other workers and people use the same
principal: a worker keeps to a fraction. A 429 from anywhere pauses everything that
signs in alike for the same subscription, then goes on slower for a while.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from app.core.clock import Clock
from app.core.workspace import AzureMlWorkspace, Cloud, Workspace

_SHARE = 0.6
_ARM_READS_PER_SECOND = 25 * _SHARE
_ARM_WRITES_PER_SECOND = 10 * _SHARE
# The regional services publish no limit: what forty SDK pollers at once ask for.
_REGIONAL_PER_SECOND = 40.0
_BURST = 10
_SLOWEST = 8.0  # times the usual interval, after several 429s in a row
_RECOVERY = 0.97  # of the interval, for each call that was let through


class Lane(StrEnum):
    """Which of Azure's limits a call counts against."""

    ARM_READS = "arm_reads"
    ARM_WRITES = "arm_writes"
    REGIONAL = "regional"


_RATES = {
    Lane.ARM_READS: _ARM_READS_PER_SECOND,
    Lane.ARM_WRITES: _ARM_WRITES_PER_SECOND,
    Lane.REGIONAL: _REGIONAL_PER_SECOND,
}


class Pace:
    """Lets calls through at a rate, a few at once after a rest, in order."""

    def __init__(self, per_second: float, *, clock: Clock, burst: int = _BURST) -> None:
        self.per_second = per_second
        self._usual = 1 / per_second
        self._interval = self._usual
        self._clock = clock
        self._burst = burst
        self._next_at = float("-inf")
        self._pauses = 0

    async def turn(self) -> None:
        """Return when one call may be made; anew in line if a pause came between."""
        while True:
            pauses = self._pauses
            wait = self._reserve()
            if wait > 0:
                await self._clock.sleep(wait)
            if pauses == self._pauses:
                return

    def pause(self, seconds: float) -> None:
        """Let nothing through for `seconds`, and afterwards at half the rate."""
        self._pauses += 1
        self._interval = min(self._interval * 2, self._usual * _SLOWEST)
        resumes_at = self._clock.monotonic() + seconds
        rest = (self._burst - 1) * self._interval
        self._next_at = max(self._next_at, resumes_at + rest)

    def _reserve(self) -> float:
        """Take the next place in line; return how long it is away."""
        now = self._clock.monotonic()
        at = max(self._next_at, now)
        self._interval = max(self._usual, self._interval * _RECOVERY)
        self._next_at = at + self._interval
        return at - now - (self._burst - 1) * self._interval


class _Account(NamedTuple):
    """Who Azure counts calls for; a credential stands for its principal."""

    cloud: Cloud
    credential: str
    subscription: str


@dataclass(slots=True)
class _Paces:
    """The lanes of an account, and the narrower ones of its workspaces by id."""

    lanes: Mapping[Lane, Pace]
    workspaces: dict[str, Pace] = field(default_factory=dict)


class Rates:
    """Every pace of a worker."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._accounts: dict[_Account, _Paces] = {}

    async def turn(
        self, workspace: Workspace, identity: AzureMlWorkspace, lane: Lane
    ) -> None:
        """Return when one call may be made for the workspace in `lane`."""
        paces = self._paces(identity)
        own = self._own_pace(workspace, paces)
        if own is not None:
            await own.turn()
        await paces.lanes[lane].turn()

    def slow_down(self, identity: AzureMlWorkspace, seconds: float) -> None:
        """Pause whatever shares the subscription and principal of a 429."""
        paces = self._paces(identity)
        for pace in (*paces.lanes.values(), *paces.workspaces.values()):
            pace.pause(seconds)

    def _paces(self, identity: AzureMlWorkspace) -> _Paces:
        account = _Account(
            identity.cloud, identity.credential, identity.subscription_id.lower()
        )
        if account not in self._accounts:
            lanes = {lane: Pace(_RATES[lane], clock=self._clock) for lane in Lane}
            self._accounts[account] = _Paces(lanes=lanes)
        return self._accounts[account]

    def _own_pace(self, workspace: Workspace, paces: _Paces) -> Pace | None:
        """Return the pace of the workspace's own limit, made anew when that changes."""
        limit = workspace.limits.calls_per_second
        if limit is None:
            paces.workspaces.pop(workspace.id, None)
            return None
        pace = paces.workspaces.get(workspace.id)
        if pace is None or pace.per_second != limit:
            pace = Pace(limit, clock=self._clock, burst=1)
            paces.workspaces[workspace.id] = pace
        return pace
