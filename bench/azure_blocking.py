"""One model from PUT to live, beside MLflow's own call, on the same simulated Azure."""

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.figure import Figure
from tests.crash.azure_service import CONDA, AzureSlipway, azure_slipway
from tests.targets.azure_stores import registered

# Twenty seconds until a service is healthy: 7 are the simulator's own.
_LATENCIES = {"image-build": 8.0, "service-create": 5.0}
_GOAL = "22 s"
_TIMEOUT_SECONDS = 120.0

# The import of MLflow and of the plugin is not counted, nor is Slipway's start.
_BLOCKING = """
import json, sys, time
import mlflow
from mlflow.deployments import get_deploy_client

uri, model, name = sys.argv[1:]
with open("aci.json", "w") as file:
    resources = {"cpu": 1, "memoryInGB": 1}
    json.dump({"computeType": "aci", "containerResourceRequirements": resources}, file)
mlflow.set_tracking_uri(uri)
mlflow.set_registry_uri(uri)
client = get_deploy_client(uri)
begin = time.perf_counter()
made = client.create_deployment(
    name=name, model_uri=model, config={"deploy-config-file": "aci.json"}
)
seconds = time.perf_counter() - begin
print()
print(json.dumps({"seconds": seconds, "state": made["state"]}))
"""


async def azure_blocking(server_url: str) -> list[Figure]:
    """PUT to live through Slipway, just started and warm, and the blocking call."""
    del server_url  # a `slipway serve` brings its own
    with _directory() as directory:
        async with azure_slipway(directory, speed=1, latencies=_LATENCIES) as azure:
            await azure.service.start()
            await azure.declare()
            first = await _through_slipway(azure, "first")
            second = await _through_slipway(azure, "second")
            blocking = await _blocking(azure, directory, "blocking")
    what = "one model, PUT to live, 20 s at Azure"
    return [
        Figure(what=f"{what}: first after the start", measured=first, goal="-"),
        Figure(what=what, measured=second, goal=_GOAL),
        Figure(what="the same by mlflow.deployments", measured=blocking, goal="-"),
    ]


async def _through_slipway(azure: AzureSlipway, name: str) -> str:
    uri = azure.logged_model(conda=_conda(name))
    begin = time.perf_counter()
    await azure.put(name, uri)
    found = await azure.ended(name)
    seconds = time.perf_counter() - begin
    if found["state"] != "live":
        raise RuntimeError(str(found["latest_operation"]))
    return f"{seconds:.1f} s"


async def _blocking(azure: AzureSlipway, directory: Path, name: str) -> str:
    place = azure.place()
    run_id = azure.logged_model(conda=_conda(name)).split("/")[1]
    registered(place, name, run_id)
    host = f"{place.region}.api.azureml.ms"
    arguments = (f"azureml://{host}/mlflow/v1.0{place.arm_id}", f"models:/{name}/1")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _BLOCKING, *arguments, name),
        cwd=directory,
        env={**azure.simulator.environment(), "HOME": str(directory)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(_TIMEOUT_SECONDS):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise RuntimeError(err.decode()[-2000:])
    told = json.loads(out.decode().splitlines()[-1])
    if told["state"] != "Healthy":
        raise RuntimeError(told["state"])
    return f"{told['seconds']:.1f} s"


@contextmanager
def _directory() -> Iterator[Path]:
    """Yield a directory that PostgreSQL's own account under root may enter."""
    with tempfile.TemporaryDirectory(prefix="slipway-bench-") as name:
        directory = Path(name)
        directory.chmod(0o711)
        yield directory


def _conda(name: str) -> bytes:
    """Return an environment whose image nobody has built before."""
    return CONDA.replace(b"scikit-learn", f"slipway-{name}==1, scikit-learn".encode())
