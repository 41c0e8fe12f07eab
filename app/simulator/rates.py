"""ARM's rate limits: token buckets per subscription and caller."""

import math
from dataclasses import dataclass

from app.simulator.errors import AzureError
from app.simulator.world import World

# https://learn.microsoft.com/azure/azure-resource-manager/management/
# request-limits-and-throttling: bucket sizes and refill rates per subscription and
# service principal.
_READS = (250, 25.0)
_WRITES = (200, 10.0)
_DELETES = (200, 10.0)


@dataclass(slots=True)
class _Bucket:
    size: int
    per_second: float
    left: float
    at: float

    def take(self, now: float) -> float:
        """Return 0 and take one, or the seconds until there is one."""
        self.left = min(self.size, self.left + (now - self.at) * self.per_second)
        self.at = now
        if self.left >= 1:
            self.left -= 1
            return 0.0
        return (1 - self.left) / self.per_second


class ArmRates:
    """Counts in real seconds: a client's own pace is real, whatever the speed."""

    def __init__(self, world: World) -> None:
        self._clock = world.clock
        self._buckets: dict[tuple[str, str, str], _Bucket] = {}

    def spend(self, method: str, subscription: str, principal: str) -> dict[str, str]:
        """Take one request; return ARM's headers about what is left, or refuse."""
        kind, (size, per_second) = _limit(method)
        now = self._clock.wall_monotonic()
        bucket = self._buckets.setdefault(
            (kind, subscription.lower(), principal),
            _Bucket(size=size, per_second=per_second, left=size, at=now),
        )
        wait = bucket.take(now)
        if wait > 0:
            seconds = str(math.ceil(wait))
            raise AzureError(
                429,
                "SubscriptionRequestsThrottled",
                f"Number of {kind} for subscription '{subscription}' exceeded the "
                f"limit. Please try again after '{seconds}' seconds.",
                headers={"Retry-After": seconds},
            )
        return {f"x-ms-ratelimit-remaining-subscription-{kind}": str(int(bucket.left))}


def _limit(method: str) -> tuple[str, tuple[int, float]]:
    if method in {"GET", "HEAD"}:
        return "reads", _READS
    if method == "DELETE":
        return "deletes", _DELETES
    return "writes", _WRITES
