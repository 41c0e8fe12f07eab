"""The environment images of a workspace: which are there, and how they were built."""

import heapq
from dataclasses import dataclass, field

from app.simulator.blobs import BlobStore
from app.simulator.service_logs import build_log
from app.simulator.service_operations import Plan, ServiceOperation, SubOperation
from app.simulator.world import SimulatedWorkspace

_CONTAINER = "azureml"


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class _Build:
    """An image build whose log is due at a simulated second."""

    due_seconds: float
    operation: ServiceOperation = field(compare=False)
    image: str = field(compare=False)
    is_broken: bool = field(compare=False)


class Images:
    """The images of one workspace; a part of it. One that was built is used again."""

    def __init__(self, workspace: SimulatedWorkspace) -> None:
        self._clock = workspace.world.clock
        self._blobs = workspace.part(BlobStore)
        self._ready: dict[str, float] = {}
        self._builds: list[_Build] = []

    def has(self, key: str) -> bool:
        """Tell whether the image is there now."""
        return self._ready.get(key, float("inf")) <= self._clock.seconds()

    def log_address(self, operation_id: str, plan: Plan) -> str:
        """Return where the log of a plan's image build will be; empty without one."""
        if not any(
            step.sub_operation is SubOperation.BUILD_ENVIRONMENT for step in plan.steps
        ):
            return ""
        name = _log_name(operation_id)
        self._blobs.put(_CONTAINER, name, b"", content_type="text/plain")
        return self._blobs.uri(_CONTAINER, name)

    def build(
        self, key: str, image: str, operation: ServiceOperation, *, is_broken: bool
    ) -> None:
        """Have the image there, and its log written, when the operation is past it."""
        after = operation.plan.seconds
        if not is_broken:
            after = operation.begins(SubOperation.DEPLOY_SERVICE)
        due = operation.started_seconds + after
        build = _Build(
            due_seconds=due, operation=operation, image=image, is_broken=is_broken
        )
        heapq.heappush(self._builds, build)
        if not is_broken:
            self._ready[key] = min(due, self._ready.get(key, float("inf")))

    def settle(self) -> None:
        """Write the logs of the builds that are over by now."""
        now = self._clock.seconds()
        while self._builds and self._builds[0].due_seconds <= now:
            self._write(heapq.heappop(self._builds))

    def _write(self, build: _Build) -> None:
        started = build.operation.started_at
        text = build_log(started, build.image, is_broken=build.is_broken)
        name = _log_name(build.operation.id)
        self._blobs.put(_CONTAINER, name, text.encode(), content_type="text/plain")


def _log_name(operation_id: str) -> str:
    return f"ImageLogs/{operation_id}/build.log"
