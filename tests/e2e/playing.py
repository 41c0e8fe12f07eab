"""Plays the article: each line of the notebook as a request to a real service."""

import asyncio
import json
import os
import ssl
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from app.simulator.clusters import Clusters
from app.simulator.model_registry import ModelRegistry
from app.simulator.service_views import service_document
from app.simulator.services import ServiceBook
from tests.crash.azure_service import AzureSlipway, azure_slipway
from tests.support import eventually

_REPOSITORY = Path(__file__).resolve().parents[2]
# Twenty minutes for a cluster become five seconds.
_SPEED = 240.0
_SECONDS = 60.0
_WAITING = {"Prefer": "wait=60"}
_WORKSPACE = "/v1/workspaces/prod"
_ACI = f"{_WORKSPACE}/deployments/diabetes-model-1"
_AKS = f"{_WORKSPACE}/deployments/my-aks"
_CLUSTER = f"{_WORKSPACE}/clusters/aks-mlflow"
_INPUT = {"inputs": [[0.0] * 10]}


@dataclass(kw_only=True)
class _Play:
    azure: AzureSlipway
    run: str
    answers: dict[str, Any] = field(default_factory=dict)

    async def ask(
        self,
        step: str,
        method: str,
        path: str,
        body: object = None,
        **headers: str,
    ) -> Any:  # noqa: ANN401
        """Send one request to Slipway and keep its answer under the step's name."""
        client = self.azure.service.client
        answer = await client.request(
            method, path, json=body, headers=headers, timeout=_SECONDS + 10
        )
        return self._keep(step, answer)

    async def ended(self, step: str, operation: str) -> None:
        """Follow the operation to its end, as Operation-Location says."""

        async def look() -> bool:
            path = f"/v1/operations/{operation}"
            found = await self.ask(step, "GET", path, **_WAITING)
            return found["state"] not in {"queued", "running"}

        await eventually(look, within_seconds=_SECONDS)

    async def score_at_azure(self, step: str, uri: str, **headers: str) -> None:
        """Score where the article's callers do: at Azure itself."""
        simulator = self.azure.simulator
        trusted = ssl.create_default_context(cafile=str(simulator.ca_file))
        async with httpx.AsyncClient(proxy=simulator.url, verify=trusted) as client:
            answer = await client.post(uri, json=_INPUT, headers=headers)
        self._keep(step, answer)

    def _keep(self, step: str, answer: httpx.Response) -> Any:  # noqa: ANN401
        body = answer.json() if "json" in answer.headers["content-type"] else None
        self.answers[step] = {
            "status": answer.status_code,
            "headers": dict(answer.headers),
            "body": body,
        }
        return body


async def play(directory: Path) -> dict[str, Any]:
    """Send every request of the article in order; return what became of it."""
    async with azure_slipway(directory, speed=_SPEED) as azure:
        run, _ = await asyncio.gather(_logged(azure), azure.service.start())
        playing = _Play(azure=azure, run=run)
        await _prepare(playing)
        await _deploy_to_aci(playing)
        await _deploy_to_aks(playing)
        shown = _shown(azure)
        await _look_around(playing)
        await _clean_up(playing)
        await azure.service.stop()
        journal = azure.simulator.world.journal
        return {
            "run": run,
            "answers": playing.answers,
            "azure": shown,
            "requests": [one.state(with_body=True) for one in journal.requests],
            "unexpected_hosts": dict(journal.unexpected_hosts),
        }


async def _logged(azure: AzureSlipway) -> str:
    """Train a model and log it to the workspace, in a process of its own."""
    place = azure.place()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "app.cli.demo_model"),
        f"azureml://{place.region}.api.azureml.ms/mlflow/v1.0{place.arm_id}",
        cwd=_REPOSITORY,
        env={
            **os.environ,
            **azure.simulator.environment(),
            "GIT_PYTHON_REFRESH": "quiet",
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    trained = json.loads(out.splitlines()[-1])
    return str(trained["models"][0]["uri"]).split("/")[1]


async def _prepare(play: _Play) -> None:
    place = play.azure.place()
    identity = {
        "kind": "azureml",
        "subscription_id": place.subscription,
        "resource_group": place.group,
        "workspace_name": place.name,
        "region": place.region,
        "credential": "default",
    }
    await play.ask("workspace", "PUT", _WORKSPACE, identity)
    await play.ask("check", "POST", f"{_WORKSPACE}/check")
    await play.ask("quota", "GET", f"{_WORKSPACE}/quota")


def _request(run: str, target: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "model": {
            "uri": f"runs:/{run}/model",
            "register_as": "sklearn-model",
            "tags": {"team": "diabetes"},
        },
        "target": target,
        "description": "Diabetes model",
        "tags": {"method": "sklearn"},
    }


async def _deploy_to_aci(play: _Play) -> None:
    target = {"kind": "aci", "cpu_cores": 1, "memory_gb": 1, "location": "eastus2"}
    body = _request(play.run, target)
    retired = {**body, "target": {**target, "collect_model_data": True}}
    await play.ask("data drift", "PUT", f"{_ACI}?validate_only=true", retired)
    put = await play.ask("aci", "PUT", _ACI, body, **_WAITING)
    await play.ended("aci operation", put["latest_operation"]["id"])
    await play.ask("aci again", "PUT", _ACI, body)


async def _deploy_to_aks(play: _Play) -> None:
    """Create the cluster, and deploy to it while Azure is still at work on it."""
    made = await play.ask("cluster", "PUT", _CLUSTER, {})
    body = _request(
        play.run,
        {
            "kind": "aks",
            "enable_app_insights": True,
            "compute_target_name": "aks-mlflow",
        },
    )
    put = await play.ask("aks", "PUT", _AKS, body)
    await play.ask("cluster meanwhile", "GET", _CLUSTER)
    await play.ended("cluster operation", made["latest_operation"]["id"])
    await play.ask("cluster made", "GET", _CLUSTER)
    await play.ended("aks operation", put["latest_operation"]["id"])


def _shown(azure: AzureSlipway) -> dict[str, Any]:
    """Return what Azure has: services, registered models and clusters."""
    place = azure.place()
    services = place.part(ServiceBook).all()
    models = place.part(ModelRegistry).models()
    return {
        "services": {
            one.name: service_document(place, one, expand=True) for one in services
        },
        "models": {one.id: {"run": one.run_id, "tags": one.tags} for one in models},
        "clusters": {
            one.name: {"state": one.state, **one.properties}
            for one in place.part(Clusters).all()
        },
    }


async def _look_around(play: _Play) -> None:
    for name, path in (("aci", _ACI), ("aks", _AKS)):
        found = await play.ask(f"{name} live", "GET", path)
        own = f"/v1/deployments/{found['id']}"
        await play.ask(f"{name} events", "GET", f"{own}/events?limit=200")
        await play.ask(f"{name} revisions", "GET", f"{own}/revisions")
        await play.ask(f"{name} scored", "POST", f"{own}/invocations", _INPUT)
        keys = await play.ask(f"{name} keys", "GET", f"{own}/keys")
        uri = found["scoring_uri"]
        await play.score_at_azure(f"{name} without a key", uri)
        bearer = f"Bearer {keys['primary']}"
        await play.score_at_azure(f"{name} with a key", uri, Authorization=bearer)
    await play.ask("cluster events", "GET", f"{_CLUSTER}/events?limit=200")
    await play.ask("services", "GET", f"{_WORKSPACE}/services")


async def _clean_up(play: _Play) -> None:
    for name, path in (("aci", _ACI), ("aks", _AKS)):
        gone = await play.ask(f"{name} delete", "DELETE", path)
        await play.ended(f"{name} deleted", gone["latest_operation"]["id"])
        await play.ask(f"{name} afterwards", "GET", path)
    await play.ask("services afterwards", "GET", f"{_WORKSPACE}/services")
    gone = await play.ask("cluster delete", "DELETE", _CLUSTER)
    await play.ended("cluster deleted", gone["latest_operation"]["id"])
