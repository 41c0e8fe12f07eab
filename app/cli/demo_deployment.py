"""The demo's deployment: every request that a caller makes in its life, checked."""

import httpx
from pydantic import TypeAdapter

from app.cli.answers import Deployment, Event
from app.cli.client_reading import all_items
from app.cli.connection import Reply, read_as
from app.cli.demo_scene import Scene
from app.cli.demo_steps import Step
from app.cli.demo_trained import TrainedModel
from app.cli.options import by_name
from app.cli.outcome import DEPLOYMENT
from app.cli.plain import one_line
from app.core.errors import AppError

_NAME = "diabetes-model-1"
_WEBHOOK_SECONDS = 30.0
_SCORE_SECONDS = 60.0
_UNCHANGED = 200
_EVENTS = TypeAdapter(list[Event])


class DemoDeployment:
    """One deployment, from the first PUT to its deletion.

    Whatever is not as it must be is an AppError.
    """

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._steps = scene.steps
        self._connection = scene.connection
        self._path = by_name(scene.workspace, _NAME)
        self._id = ""

    def deploy(self, model: TrainedModel) -> None:
        """PUT the first model and follow it to `live`."""
        with self._steps.step(f"PUT {self._path}") as step:
            self._follow(self._put(model), step)
            step.outcome = "revision 1 deployed"

    def score(self, model: TrainedModel) -> None:
        """Score through the scoring URI and through Slipway; both must be right."""
        with self._steps.step("Score it, directly and through Slipway") as step:
            uri = self._current().scoring_uri
            if uri is None:
                raise AppError("The deployment has no scoring URI.")
            # A caller of the model needs nothing of Slipway's, not even a key.
            direct = httpx.post(
                uri, json=self._scene.example, timeout=_SCORE_SECONDS, trust_env=False
            )
            self._scene.check_answer(uri, direct, model)
            path = f"/v1/deployments/{self._id}/invocations"
            through = self._connection.score(path, direct.request.content)
            self._scene.check_answer(path, through, model)
            step.outcome = "scored twice, as trained"

    def put_again(self, model: TrainedModel) -> None:
        """PUT the same again: nothing may happen."""
        with self._steps.step("Send the same PUT again") as step:
            status = self._put(model).status
            self._steps.say(f"{status}: it already is as asked, nothing was started")
            if status != _UNCHANGED:
                raise AppError(f"An unchanged PUT was answered with {status}.")
            step.outcome = "same PUT again: nothing done"

    def update(self, model: TrainedModel) -> None:
        """PUT the second model as revision 2 and see that it answers."""
        with self._steps.step("PUT the second model as revision 2") as step:
            self._follow(self._put(model), step)
            self._check_serving(model, revision=2)
            step.outcome = "revision 2 deployed"

    def roll_back(self, model: TrainedModel) -> None:
        """Go back to revision 1 and see that it answers again."""
        with self._steps.step("It predicts worse: roll back to revision 1") as step:
            path = f"/v1/deployments/{self._id}/rollback"
            reply = self._connection.send("POST", path, body={"revision": 1})
            self._follow(reply, step)
            self._check_serving(model, revision=1)
            step.outcome = "rolled back to revision 1"

    def show_webhooks(self) -> None:
        """Show every event that the receiver got; each must be signed rightly."""
        with self._steps.step("The webhooks that a receiver got meanwhile") as step:
            count = self._check_webhooks(first=1)
            self._steps.say("the last one came with")
            for name, value in self._scene.receiver.last_headers.items():
                self._steps.say(f"  {name}: {one_line(value)}")
            step.outcome = f"{count} webhooks received and verified"

    def delete(self) -> None:
        """Delete it and see that its name is free and the last webhook came."""
        with self._steps.step(f"DELETE {self._path}") as step:
            first = len(self._events()) + 1
            self._follow(self._connection.send("DELETE", self._path), step)
            count = self._check_webhooks(first=first)
            step.outcome = f"deleted, {count} more webhooks verified"

    def _put(self, model: TrainedModel) -> Reply:
        scene = self._scene
        body = {
            "model": {"uri": model.uri, "register_as": "sklearn-model"},
            "target": {"kind": "local"},
            "description": "Diabetes model",
            "tags": {"method": "sklearn"},
            "webhook": {"url": scene.receiver.url, "secret": scene.secret},
        }
        return self._connection.send("PUT", self._path, body=body)

    def _follow(self, reply: Reply, step: Step) -> None:
        self._id = self._scene.follow(reply, step).id

    def _check_serving(self, model: TrainedModel, *, revision: int) -> None:
        found = self._current()
        if found.serving_revision != revision or found.scoring_uri is None:
            raise AppError(f"Revision {found.serving_revision} serves.")
        uri = found.scoring_uri
        answer = httpx.post(
            uri, json=self._scene.example, timeout=_SCORE_SECONDS, trust_env=False
        )
        self._scene.check_answer(uri, answer, model)

    def _check_webhooks(self, *, first: int) -> int:
        wanted = [event.id for event in self._events()]
        received = self._scene.receiver.wait_for(wanted, seconds=_WEBHOOK_SECONDS)
        shown = [event for event in received if event.sequence >= first]
        for event in shown:
            mark = "signature verified" if event.is_verified else "WRONG SIGNATURE"
            self._steps.say(f"{event.sequence:>3}  {one_line(event.type):<26} {mark}")
        if not all(event.is_verified for event in received):
            raise AppError("A webhook's signature was wrong.")
        return len(shown)

    def _events(self) -> list[Event]:
        path = f"/v1/deployments/{self._id}/events"
        return read_as(_EVENTS, all_items(self._connection, path, {}))

    def _current(self) -> Deployment:
        return read_as(DEPLOYMENT, self._connection.get(f"/v1/deployments/{self._id}"))
