"""How long the engine waits for what."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class EngineSettings:
    """The engine's times, which all workers of one database must share.

    With the defaults a killed worker's jobs change hands after 4 to 5 seconds (300
    jobs ran again after 4 s, 5,000 after 12 s, on 2 cores).
    """

    heartbeat_seconds: float = 1.0
    """Pause between two heartbeats, and between two looks for stalled workers."""

    stall_seconds: float = 4.0
    """Age of a heartbeat from which on a worker counts as dead."""

    lease_margin_seconds: float = 0.5
    """What a lease ends before the stall limit: clocks may run at unlike speeds."""

    fetch_poll_seconds: float = 1.0
    """How late a scheduled job, or one whose notification was lost, may start."""

    drain_seconds: float = 2.0
    """What running jobs are given to end by themselves when the engine stops."""

    unwind_seconds: float = 10.0
    """What canceled jobs are given to clean up and hand themselves back."""

    cancel_again_seconds: float = 2.5
    """Pause between two looks for canceled jobs that have not answered."""

    outage_seconds: float = 30.0
    """Time without the database after which the engine gives up."""

    pool_timeout_seconds: float = 5.0
    """Longest wait for one connection; the engine tries again until the outage."""

    pool_size: int = 4
    """Connections for fetching and settling jobs; at 4 the fetch is the limit."""

    def __post_init__(self) -> None:
        if self.heartbeat_seconds * 2 > self.stall_seconds - self.lease_margin_seconds:
            raise ValueError("a lease must outlast one heartbeat that was late")
        if self.drain_seconds >= self.stall_seconds:
            raise ValueError("the drain must be shorter than the stall limit")

    @property
    def lease_seconds(self) -> float:
        """How long a confirmed heartbeat, counted from its sending, is good for."""
        return self.stall_seconds - self.lease_margin_seconds

    @property
    def trial_seconds(self) -> float:
        """How long a worker's own heart must have beaten before it judges others.

        After an outage every heartbeat is old, and the first worker to come back
        would take the jobs of all that are a moment later.
        """
        return 3 * self.stall_seconds
