"""What the demo's trainer hands back to the demo, as JSON between two processes."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainedModel:
    """One logged model, and what it predicted for the example when it was trained."""

    uri: str
    alpha: float
    score: float
    predictions: list[float]


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainedModels:
    """What was logged; `example` is a scoring body that both models take."""

    example: dict[str, Any]
    models: tuple[TrainedModel, TrainedModel]
