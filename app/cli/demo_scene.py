"""What the demo plays with, and how it follows and checks what it asked for."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from app.cli.answers import Deployment
from app.cli.connection import Connection, Reply, read_as
from app.cli.demo_receiver import Receiver
from app.cli.demo_steps import Step, Steps
from app.cli.demo_trained import TrainedModel
from app.cli.following import until_ended
from app.cli.outcome import DEPLOYMENT
from app.cli.progress import tell_failure, telling
from app.core.errors import AppError

_FOLLOW_SECONDS = 600.0
_CLOSE_ENOUGH = 0.01


@dataclass(frozen=True, kw_only=True, slots=True)
class Scene:
    """What the demo plays with; `example` is a scoring body for its models."""

    steps: Steps
    connection: Connection
    receiver: Receiver
    workspace: str
    secret: str
    example: Mapping[str, Any]

    def follow(self, reply: Reply, step: Step) -> Deployment:
        """Tell what happens until the operation of `reply` has succeeded."""
        found = read_as(DEPLOYMENT, reply.value)
        operation = found.latest_operation
        self.steps.say(f"{reply.status}, operation {operation.id} ({operation.kind})")
        with telling(self.steps.console) as log:
            ended = until_ended(
                self.connection,
                found.id,
                operation,
                tell=log.tell,
                seconds=_FOLLOW_SECONDS,
            )
        step.phases = log.times
        if ended is None:
            raise AppError(f"It has not ended after {_FOLLOW_SECONDS:g} s.")
        if ended.error is not None:
            kind, state = ended.kind, ended.state
            tell_failure(self.steps.console, ended.error, kind=kind, state=state)
        if ended.state != "succeeded":
            raise AppError(f"The {ended.kind} {ended.state}.")
        return found

    def check_answer(
        self, where: str, answer: httpx.Response, model: TrainedModel
    ) -> None:
        """Raise AppError unless `answer` is what the model predicted in training."""
        if answer.is_error:
            raise AppError(f"{where} answered {answer.status_code}: {answer.text}")
        found = [float(value) for value in answer.json()["predictions"]]
        pairs = zip(found, model.predictions, strict=True)
        if any(abs(got - trained) > _CLOSE_ENOUGH for got, trained in pairs):
            raise AppError(f"{where} predicts {found}, not {model.predictions}.")
        numbers = ", ".join(f"{value:.1f}" for value in found)
        self.steps.say(f"POST {where}: {numbers}, as it was trained")
