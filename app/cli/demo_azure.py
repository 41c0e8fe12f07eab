"""The demo at Azure: the whole article, as requests, on the simulator."""

import json
from typing import Any

from app.cli.answers import Operation
from app.cli.connection import Reply, read_as
from app.cli.demo_scene import Scene
from app.cli.demo_steps import Step
from app.cli.demo_trained import TrainedModel
from app.cli.demo_waiting import comes_true
from app.cli.options import by_name
from app.cli.outcome import OPERATION
from app.cli.plain import one_line
from app.core.errors import AppError

_REGION = "eastus2"
_CLUSTER = "aks-mlflow"
_SECONDS = 300.0
_ACI: dict[str, Any] = {
    "kind": "aci",
    "cpu_cores": 1,
    "memory_gb": 1,
    "location": _REGION,
}
_AKS: dict[str, Any] = {
    "kind": "aks",
    "compute_target_name": _CLUSTER,
    "enable_app_insights": True,
}


class AzureDemo:
    """One workspace, one cluster, and a service on each of the two targets.

    Whatever is not as it must be is an AppError.
    """

    def __init__(self, scene: Scene, workspace_id: str) -> None:
        self._scene = scene
        self._steps = scene.steps
        self._connection = scene.connection
        self._workspace = f"/v1/workspaces/{scene.workspace}"
        self._workspace_id = workspace_id

    @property
    def tracking_uri(self) -> str:
        """Where MLflow logs to the workspace, through azureml-mlflow."""
        host = f"{_REGION}.api.azureml.ms"
        return f"azureml://{host}/mlflow/v1.0{self._workspace_id}"

    def declare(self) -> None:
        """PUT the workspace and let Slipway check it, as a platform engineer does."""
        with self._steps.step(f"PUT {self._workspace}, and check it") as step:
            _, subscription, _, group, *_, name = self._workspace_id.strip("/").split(
                "/"
            )
            body = {
                "kind": "azureml",
                "subscription_id": subscription,
                "resource_group": group,
                "workspace_name": name,
                "region": _REGION,
                "credential": "default",
            }
            self._connection.send("PUT", self._workspace, body=body)
            checked = self._connection.send("POST", f"{self._workspace}/check").value
            for result in checked["checks"]:
                line = f"{result['name']:<20} {result['status']:<8} {result['detail']}"
                self._steps.say(one_line(line))
            if any(result["status"] == "failed" for result in checked["checks"]):
                raise AppError("The workspace did not pass its check.")
            step.outcome = "workspace declared and checked"

    def create_cluster(self) -> None:
        """Create the AKS cluster with the article's defaults and wait for it."""
        path = f"{self._workspace}/clusters/{_CLUSTER}"
        with self._steps.step(f"PUT {path}: twenty minutes at Azure") as step:
            self._end(self._connection.send("PUT", path, body={}), step)
            found = self._connection.get(path)
            self._steps.say(f"provisioning_state: {found['provisioning_state']}")
            self._steps.say(f"provisioning_errors: {found['provisioning_errors']}")
            step.outcome = "AKS cluster created"

    def deploy_aci(self, model: TrainedModel) -> None:
        """Play the article's first half: register, and deploy to ACI."""
        self._deploy("diabetes-model-1", _ACI, model)

    def deploy_aks(self, model: TrainedModel) -> None:
        """Play the article's second half: the same run on the cluster."""
        self._deploy("my-aks", _AKS, model)

    def clean_up(self) -> None:
        """Delete both services and the cluster; the registered model stays."""
        with self._steps.step("DELETE both services, then the cluster") as step:
            for name in ("diabetes-model-1", "my-aks"):
                path = by_name(self._scene.workspace, name)
                self._scene.follow(self._connection.send("DELETE", path), step)
            path = f"{self._workspace}/clusters/{_CLUSTER}"
            self._end(self._connection.send("DELETE", path), step)
            left = self._connection.get(f"{self._workspace}/services")["items"]
            if left:
                raise AppError(f"Left at Azure: {[item['name'] for item in left]}.")
            step.phases = []
            step.outcome = "nothing left at Azure but the registered model"

    def _deploy(self, name: str, target: dict[str, Any], model: TrainedModel) -> None:
        path = by_name(self._scene.workspace, name)
        with self._steps.step(f"PUT {path} on {target['kind']}") as step:
            body = {
                "model": {"uri": model.uri, "register_as": "sklearn-model"},
                "target": target,
                "description": "Diabetes model",
                "tags": {"method": "sklearn"},
                "webhook": {
                    "url": self._scene.receiver.url,
                    "secret": self._scene.secret,
                },
            }
            reply = self._connection.send("PUT", path, body=body)
            deployment_id = self._scene.follow(reply, step).id
            # Its keys stay with Slipway: a key of Slipway's is enough to score.
            path = f"/v1/deployments/{deployment_id}/invocations"
            answer = self._connection.score(
                path, json.dumps(self._scene.example).encode()
            )
            self._scene.check_answer(path, answer, model)
            found = self._connection.get(f"/v1/deployments/{deployment_id}")
            self._steps.say(f"{found['azure']['state']} at {found['scoring_uri']}")
            step.outcome = f"deployed to {target['kind']}, scored as trained"

    def _end(self, reply: Reply, step: Step) -> None:
        """Wait until the cluster's operation has ended well."""
        path = f"/v1/operations/{reply.value['latest_operation']['id']}"
        last: list[Operation] = []

        def has_ended() -> bool:
            last[:] = [read_as(OPERATION, self._connection.get(path))]
            return last[0].has_ended

        with self._steps.waiting("Azure's minutes are seconds here"):
            if not comes_true(has_ended, _SECONDS):
                raise AppError(f"It has not ended after {_SECONDS:g} s.")
        if last[0].state != "succeeded":
            told = last[0].error.message if last[0].error else ""
            raise AppError(f"{step.title}: {last[0].state}. {told}")
