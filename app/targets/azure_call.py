"""One call of Azure's REST surface, as those who make it describe it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

from app.targets.azure_rates import Lane

Method = Literal["GET", "PUT", "POST", "PATCH", "DELETE"]


class Host(StrEnum):
    """Where a call goes: the cloud's Resource Manager or the workspace's region."""

    MANAGEMENT = "management"
    REGIONAL = "regional"


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """A call; what it names in `accepts` is an answer besides every 2xx.

    `is_read` marks a POST that changes nothing: it is repeated as a GET is.
    """

    path: str
    method: Method = "GET"
    host: Host = Host.MANAGEMENT
    query: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    accepts: frozenset[int] = frozenset()
    timeout_seconds: float = 30.0
    is_read: bool = False

    @property
    def may_repeat(self) -> bool:
        """Say whether making it twice does what making it once does."""
        return self.method == "GET" or self.is_read

    @property
    def lane(self) -> Lane:
        """Return which of Azure's limits it counts against."""
        if self.host is Host.REGIONAL:
            return Lane.REGIONAL
        return Lane.ARM_READS if self.method == "GET" else Lane.ARM_WRITES
