"""What a run of the simulator is told at its start."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from app.simulator.model_runner import ModelRunner

# Simulated seconds; the issue threads and the article this project starts from say
# minutes for a cluster and an image, these are round numbers within their range.
LATENCIES: Mapping[str, float] = MappingProxyType(
    {
        "request": 0.0,
        "cluster-create": 1200.0,
        "cluster-attach": 180.0,
        "cluster-delete": 300.0,
        "cluster-detach": 30.0,
        "image-build": 480.0,
        "service-create": 90.0,
        "service-update": 60.0,
        "service-delete": 15.0,
        # Real seconds in `Retry-After` of a service's operation; 0 sends none.
        "operation-retry-after": 0.0,
    }
)


@dataclass(frozen=True, kw_only=True, slots=True)
class SimulatorSettings:
    """How fast time runs, how long things take, and what is switched on."""

    speed: float = 1.0
    run_models: bool = False
    # Who serves a registered model when `run_models` is on.
    model_runner: ModelRunner | None = None
    rate_limits: bool = True
    control_token: str | None = None
    latencies: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))

    def latency(self, name: str, default: float = 0.0) -> float:
        """Return how many simulated seconds the step `name` takes."""
        return self.latencies.get(name, LATENCIES.get(name, default))
