"""The demo itself: what it does, in order, and what it says when something fails."""

import json
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

import httpx
import typer
from pydantic import SecretStr, TypeAdapter

from app.cli.connection import ClientSettings, RefusedError, connected
from app.cli.demo_azure import AzureDemo
from app.cli.demo_deployment import DemoDeployment
from app.cli.demo_receiver import receiving
from app.cli.demo_scene import Scene
from app.cli.demo_service import DemoService, own_directory
from app.cli.demo_simulator import DemoSimulator
from app.cli.demo_steps import Steps
from app.cli.demo_trained import TrainedModel, TrainedModels
from app.cli.outcome import ExitStatus
from app.cli.plain import one_line
from app.cli.progress import console_for
from app.core.errors import AppError, OperatorError
from app.core.webhook import new_secret

_WORKSPACE = "local"
_AZURE_WORKSPACE = "prod"
_TRAIN_SECONDS = 300.0
_SECRET_BYTES = 32
_TRAINED = TypeAdapter(TrainedModels)


def run() -> None:
    """Play the demo; ends the process with 1 if anything was not as it must be."""
    # A request to end is one to clean up first, like Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    steps = Steps(console_for())
    steps.console.print(
        "Slipway's main job: a real MLflow model, served, updated, rolled back and "
        "deleted, here and then on a simulated Azure, where minutes are seconds. It "
        "takes two minutes, longer the first time."
    )
    with own_directory() as directory:
        service, simulator = DemoService(directory), DemoSimulator(directory)
        with _ending(service, simulator), _explaining(steps, service):
            _play(steps, service, simulator)
    steps.console.print()
    steps.console.print(steps.table())
    steps.console.print("No process is left running, and its directory is gone.")


def _play(steps: Steps, service: DemoService, simulator: DemoSimulator) -> None:
    with steps.step("Start `slipway serve` and a simulated Azure") as step:
        with steps.waiting("making a database takes a few seconds"):
            simulator.start()
            url = service.start(simulator.environment)
        steps.say(f"up at {url}")
        step.outcome = "service and simulator started"
    key = SecretStr((service.data_dir / "admin.key").read_text("utf-8").strip())
    webhook_secret = new_secret(secrets.token_bytes(_SECRET_BYTES))
    with (
        connected(ClientSettings(url=url, api_key=key)) as connection,
        receiving(webhook_secret) as receiver,
    ):
        tracking_uri = connection.get(f"/v1/workspaces/{_WORKSPACE}")["identity"][
            "tracking_uri"
        ]
        with steps.step("Train two models and log them to MLflow") as step:
            artifacts = service.data_dir / "mlflow" / "artifacts"
            trained = _train(steps, tracking_uri, str(artifacts))
            step.outcome = "two models trained and logged"
        scene = Scene(
            steps=steps,
            connection=connection,
            receiver=receiver,
            workspace=_WORKSPACE,
            secret=webhook_secret,
            example=trained.example,
        )
        _live(DemoDeployment(scene), *trained.models)
        _live_at_azure(replace(scene, workspace=_AZURE_WORKSPACE), simulator)
    with steps.step("Stop the service by SIGTERM, and look who is left") as step:
        with steps.waiting("waiting for the worker, the API and PostgreSQL to end"):
            service.stop()
        steps.say("nobody")
        step.outcome = "service stopped, no process left"


def _live(
    deployment: DemoDeployment, first: TrainedModel, second: TrainedModel
) -> None:
    deployment.deploy(first)
    deployment.score(first)
    deployment.put_again(first)
    deployment.update(second)
    deployment.roll_back(first)
    deployment.show_webhooks()
    deployment.delete()


def _live_at_azure(scene: Scene, simulator: DemoSimulator) -> None:
    azure = AzureDemo(scene, simulator.workspace_id)
    azure.declare()
    with scene.steps.step("Train and log them to the Azure ML workspace") as step:
        trained = _train(
            scene.steps, azure.tracking_uri, environment=simulator.environment
        )
        step.outcome = "two models logged to the workspace"
    model, _ = trained.models
    azure.deploy_aci(model)
    azure.create_cluster()
    azure.deploy_aks(model)
    azure.clean_up()


def _train(
    steps: Steps,
    tracking_uri: str,
    *directory: str,
    environment: Mapping[str, str] | None = None,
) -> TrainedModels:
    command = [sys.executable, "-m", "app.cli.demo_model"]
    quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "GIT_PYTHON_REFRESH": "quiet"}
    reason = "importing MLflow alone takes 6 to 9 s, longer the first time"
    with steps.waiting(reason):
        finished = subprocess.run(  # noqa: S603 - our own module
            [*command, tracking_uri, *directory],
            env=os.environ | quiet | dict(environment or {}),
            capture_output=True,
            text=True,
            check=False,
            timeout=_TRAIN_SECONDS,
        )
    if finished.returncode != 0:
        last = finished.stderr.strip().splitlines()[-1:]
        raise AppError(f"Training failed: {one_line(' '.join(last))}")
    trained = _TRAINED.validate_python(json.loads(finished.stdout.splitlines()[-1]))
    for model in trained.models:
        steps.say(f"{model.uri}  Ridge alpha {model.alpha:g}, R² {model.score:g}")
    return trained


@contextmanager
def _ending(service: DemoService, simulator: DemoSimulator) -> Iterator[None]:
    try:
        yield
    finally:
        try:
            service.end()
        finally:
            simulator.end()


@contextmanager
def _explaining(steps: Steps, service: DemoService) -> Iterator[None]:
    """Tell what failed, with the end of the service's log, and end with 1."""
    failures = (AppError, RefusedError, httpx.HTTPError, OSError, TimeoutError)
    try:
        yield
    except (*failures, subprocess.SubprocessError) as error:
        console = console_for(error=True)
        for line in service.log_tail():
            console.print(f"  serve | {one_line(line)}")
        console.print(f"The demo failed in step {len(steps.done) + 1}: {error}")
        if isinstance(error, OperatorError):
            console.print(error.advice)
        raise typer.Exit(ExitStatus.FAILED) from error
    except KeyboardInterrupt:
        console_for(error=True).print("Interrupted; stopping what was started.")
        raise typer.Exit(ExitStatus.INTERRUPTED) from None
