"""A simulator on which azureml-core has lived through everything once."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.simulator.clusters import Clusters
from app.simulator.server import Simulator
from app.simulator.services import ServiceBook
from app.simulator.world import SimulatedWorkspace
from tests.simulating import run_script, running_simulator

ACI_OPTIONS: Mapping[str, object] = {
    "kvTags": {"one": "1"},
    "properties": {"two": "2"},
    "description": "all",
    "location": "westus2",
    "authEnabled": True,
    "sslEnabled": True,
    "appInsightsEnabled": True,
    "sslCertificate": "certificate",
    "sslKey": "private",
    "cname": "models.example.com",
    "dnsNameLabel": "all-options",
    "dataCollection": {"storageEnabled": True, "eventHubEnabled": False},
    "encryptionProperties": {
        "vaultBaseUrl": "https://vault.example.com",
        "keyName": "key",
        "keyVersion": "7",
    },
    "vnetConfiguration": {"vnetName": "net", "subnetName": "sub"},
}
AKS_OPTIONS: Mapping[str, object] = {
    "appInsightsEnabled": True,
    "authEnabled": False,
    "aadAuthEnabled": True,
    "autoScaler": {
        "autoscaleEnabled": True,
        "minReplicas": 2,
        "maxReplicas": 5,
        "refreshPeriodInSeconds": 3,
        "targetUtilization": 60,
    },
    "computeName": "aks-mlflow",
    "containerResourceRequirements": {
        "cpu": 0.5,
        "cpuLimit": 1.5,
        "memoryInGB": 1,
        "memoryInGBLimit": 2,
        "gpu": 1,
    },
    "dataCollection": {"eventHubEnabled": False, "storageEnabled": True},
    "maxConcurrentRequestsPerContainer": 4,
    "maxQueueWaitMs": 700,
    "scoringTimeoutMs": 5000,
    "livenessProbeRequirements": {
        "periodSeconds": 11,
        "initialDelaySeconds": 200,
        "timeoutSeconds": 4,
        "successThreshold": 2,
        "failureThreshold": 6,
    },
    "properties": {"two": "2"},
    "description": "all",
}
_ROOT = Path(__file__).parents[2]
_SCRIPT = Path(__file__).with_name("services_script.py")
# Short enough for the first look of the SDK, which otherwise waits five real seconds.
_LATENCIES = {
    "cluster-create": 0,
    "image-build": 20,
    "service-create": 10,
    "service-update": 5,
    "service-delete": 0,
}
_SPEED = 2000


@dataclass(frozen=True, kw_only=True)
class Driven:
    """A simulator after the script, what it printed, and what it told."""

    simulator: Simulator
    workspace: SimulatedWorkspace
    out: str
    told: dict[str, Any]


@asynccontextmanager
async def driving() -> AsyncIterator[Driven]:
    """Set the stage and run the script."""
    async with running_simulator(speed=_SPEED, latencies=_LATENCIES) as simulator:
        workspace = next(iter(simulator.world.workspaces.values()))
        _set_the_stage(workspace)
        ran = await run_script(
            simulator,
            _SCRIPT.read_text(),
            WORKSPACE=workspace.name,
            GROUP=workspace.group,
            SUBSCRIPTION=workspace.subscription,
            PYTHONPATH=str(_ROOT),
        )
        yield Driven(
            simulator=simulator, workspace=workspace, out=ran.out, told=ran.told
        )


def _set_the_stage(workspace: SimulatedWorkspace) -> None:
    aks = {"properties": {"computeType": "AKS", "properties": {}}}
    workspace.part(Clusters).put("aks-mlflow", aks)
    workspace.world.faults.add(
        "lost-answer", where={"method": "POST", "path": "*/services"}
    )
    common: dict[str, object] = {
        "createdTime": "2024-01-01T00:00:00Z",
        "description": None,
        "kvTags": {},
        "properties": {},
        "state": "Healthy",
    }
    book = workspace.part(ServiceBook)
    book.plant("odd", {**common, "name": "odd", "computeType": "FPGA"})
    resources = {
        "cpu": 1,
        "cpuLimit": None,
        "memoryInGB": 1,
        "memoryInGBLimit": None,
        "gpu": None,
    }
    by_image = {
        **common,
        **dict.fromkeys(
            ("cname", "publicIp", "scoringUri", "sslCertificate", "sslKey")
        ),
        "name": "from-image",
        "computeType": "ACI",
        "imageId": "image:1",
        "appInsightsEnabled": False,
        "authEnabled": False,
        "sslEnabled": False,
        "location": "eastus2",
        "containerResourceRequirements": resources,
    }
    book.plant("from-image", by_image)


def sent_of(driven: Driven, name: str) -> dict[str, Any]:
    """What the SDK sent to create a service."""
    for request in driven.simulator.world.journal.seen("POST", "/services"):
        if request.path.endswith("/services"):
            body: dict[str, Any] = json.loads(request.body)
            if body["name"] == name:
                return body
    raise AssertionError(name)
