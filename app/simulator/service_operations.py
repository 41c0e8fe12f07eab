"""A long-running operation of model management, as a function of simulated time."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class OperationState(StrEnum):
    """Where an operation stands, in Azure's spelling."""

    NOT_STARTED = "NotStarted"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    CANCELED = "Cancelled"
    TIMED_OUT = "TimedOut"


class SubOperation(StrEnum):
    """What an operation is at."""

    BUILD_ENVIRONMENT = "BuildEnvironment"
    DEPLOY_SERVICE = "DeployService"


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One line of the operation's log and the work that begins with it."""

    after_seconds: float
    text: str
    sub_operation: SubOperation | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Ending:
    """How an operation ends, and in which state it leaves its service."""

    state: OperationState = OperationState.SUCCEEDED
    service_state: str = "Healthy"
    error: dict[str, object] | None = None
    # The service names no error although its operation has one.
    hides_error: bool = False
    # Azure tells no sub-operation of some refusals.
    hides_sub_operation: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What will happen: the steps, when they are over, and how it ends."""

    steps: tuple[Step, ...]
    seconds: float
    ending: Ending


@dataclass(frozen=True, kw_only=True, slots=True)
class ServiceOperation:
    """One operation; what it shows follows from the time alone."""

    id: str
    service: str
    started_at: datetime
    started_seconds: float
    plan: Plan
    build_log_uri: str = ""

    def is_over(self, seconds: float) -> bool:
        """Tell whether it has ended at this simulated second."""
        return seconds - self.started_seconds >= self.plan.seconds

    def state(self, seconds: float) -> OperationState:
        """Return where it stands at this simulated second."""
        if self.is_over(seconds):
            return self.plan.ending.state
        return (
            OperationState.RUNNING
            if self._begun(seconds)
            else (OperationState.NOT_STARTED)
        )

    def log(self, seconds: float) -> str:
        """Return the streaming log so far: lines of time and text, each ended by #."""
        return "".join(
            f"{self._moment(step):%Y%m%d%H%M%S}|{step.text}#"
            for step in self._begun(seconds)
        )

    def document(self, seconds: float, offset: int = 0) -> dict[str, object]:
        """Return it as Azure shows it, with the log from the character `offset`."""
        ending, is_over = self.plan.ending, self.is_over(seconds)
        ended_at = self.started_at + timedelta(seconds=self.plan.seconds)
        sub = self._sub_operation(seconds)
        if is_over and ending.hides_sub_operation:
            sub = None
        return {
            "id": self.id,
            "operationType": "Service",
            "state": self.state(seconds).value,
            "createdTime": self.started_at.isoformat(),
            "endTime": ended_at.isoformat() if is_over else None,
            "error": ending.error if is_over else None,
            "resourceLocation": f"services/{self.service}",
            "operationDetails": {"subOperationType": sub.value} if sub else None,
            "operationLog": self.build_log_uri or None,
            "streamingOperationLog": self.log(seconds)[offset:],
            "parentRequestId": "",
        }

    def begins(self, sub: SubOperation) -> float:
        """Return after how many seconds the work `sub` begins."""
        return next(
            step.after_seconds for step in self.plan.steps if step.sub_operation is sub
        )

    def _begun(self, seconds: float) -> list[Step]:
        elapsed = seconds - self.started_seconds
        return [step for step in self.plan.steps if step.after_seconds <= elapsed]

    def _sub_operation(self, seconds: float) -> SubOperation | None:
        named = [step.sub_operation for step in self._begun(seconds)]
        return next((each for each in reversed(named) if each is not None), None)

    def _moment(self, step: Step) -> datetime:
        return self.started_at + timedelta(seconds=step.after_seconds)
