"""What the unmodified client with Azure's plugin does in one workspace, as JSON.

Run in a child process: MLflow keeps its stores for the whole process.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from sklearn.datasets import load_diabetes  # type: ignore[import-untyped]
from sklearn.linear_model import Ridge  # type: ignore[import-untyped]

URI = os.environ["TRACKING_URI"]
told: dict[str, Any] = {}


def log_a_model() -> str:
    """Log a run with a real model in it; return the run's id."""
    x, y = load_diabetes(return_X_y=True, as_frame=True)
    model = Ridge().fit(x, y)
    mlflow.sklearn.save_model(
        model, "model", pip_requirements=["scikit-learn"], input_example=x[:1]
    )
    mlflow.set_experiment("diabetes")
    with mlflow.start_run(run_name="ridge") as run:
        mlflow.log_param("alpha", 1.0)
        mlflow.log_metric("score", 0.25, step=1)
        mlflow.log_metric("score", 0.5, step=2)
        mlflow.set_tag("team", "research")
        mlflow.log_artifacts("model", "model")
        mlflow.log_text("said", "notes/said.txt")
    return str(run.info.run_id)


def look_at_runs(client: MlflowClient, run_id: str) -> None:
    """Tell what the tracking server says of the run."""
    run = client.get_run(run_id)
    told["run"] = {
        "status": run.info.status,
        "uri": run.info.artifact_uri,
        "name": run.info.run_name,
        "params": run.data.params,
        "metrics": run.data.metrics,
        "team": run.data.tags["team"],
    }
    history = client.get_metric_history(run_id, "score")
    told["history"] = [one.value for one in history]
    experiment = run.info.experiment_id
    told["experiments"] = sorted(one.name for one in client.search_experiments())
    every = "metrics.score > 0.4 and params.alpha = '1.0' and tags.team = 'research'"
    for name, text in {"found": every, "not_found": "metrics.score > 0.6"}.items():
        told[name] = [one.info.run_id for one in client.search_runs([experiment], text)]
    told["artifacts"] = [one.path for one in client.list_artifacts(run_id)]
    told["text"] = mlflow.artifacts.load_text(f"{run.info.artifact_uri}/notes/said.txt")


def register(client: MlflowClient, run_id: str) -> None:
    """Register the run's model and a local one; tell what the registry says."""
    client.create_registered_model("ridge", tags={"kind": "linear"})
    first = _register_run(client, run_id, tags={"by": "run"})
    second = mlflow.register_model(Path("model").absolute().as_uri(), "ridge")
    client.set_registered_model_alias("ridge", "champion", first.version)
    client.set_model_version_tag("ridge", first.version, "checked", "yes")
    client.transition_model_version_stage("ridge", second.version, "Production")
    client.update_model_version("ridge", second.version, "from disk")
    found = client.search_model_versions("name = 'ridge'")
    told["versions"] = {
        one.version: [one.run_id, one.source, one.tags, one.current_stage]
        for one in found
    }
    told["downloads"] = [
        client.get_model_version_download_uri("ridge", str(version))
        for version in (1, 2)
    ]
    told["champion"] = client.get_model_version_by_alias("ridge", "champion").version
    told["names"] = [
        one.name for one in client.search_registered_models("name LIKE 'rid%'")
    ]
    told["latest"] = [
        one.version for one in client.get_latest_versions("ridge", ["Production"])
    ]
    x, _ = load_diabetes(return_X_y=True, as_frame=True)
    told["predictions"] = [
        float(mlflow.pyfunc.load_model(f"models:/ridge/{version}").predict(x[:1])[0])
        for version in (1, 2)
    ]


def delete(client: MlflowClient, run_id: str) -> None:
    """Delete a version, and tell the number that comes after it."""
    client.delete_model_version("ridge", "2")
    third = _register_run(client, run_id, tags={})
    told["after_delete"] = third.version


def _register_run(client: MlflowClient, run_id: str, tags: dict[str, str]) -> Any:  # noqa: ANN401
    source = f"{client.get_run(run_id).info.artifact_uri}/model"
    return client.create_model_version("ridge", source, run_id=run_id, tags=tags)


def refusals(client: MlflowClient, run_id: str) -> None:
    """Tell how the server says no."""
    tries: dict[str, Callable[[], object]] = {
        "logged_model": lambda: client.search_logged_models(["0"]),
        "run_uri": lambda: mlflow.register_model(f"runs:/{run_id}/model", "ridge"),
        "log_model": lambda: client.create_logged_model("0", "x"),
        "missing_run": lambda: client.get_run("nobody"),
        "missing_version": lambda: client.get_model_version("ridge", "99"),
        "missing_name": lambda: client.get_registered_model("nobody"),
        "taken": lambda: client.create_registered_model("ridge"),
        "param": lambda: client.log_param(run_id, "alpha", "2"),
        "filter": lambda: client.search_model_versions("tags.by = 'run'"),
        "source": lambda: client.create_model_version("ridge", "s3://bucket/model"),
        "rename": lambda: client.rename_registered_model("ridge", "other"),
    }
    for name, act in tries.items():
        try:
            act()
        except MlflowException as error:
            told[name] = [error.error_code, error.get_http_status_code()]  # type: ignore[no-untyped-call]


def main() -> None:
    """Do it all; the last line on standard output is the JSON."""
    mlflow.set_tracking_uri(URI)
    mlflow.set_registry_uri(URI)
    client = MlflowClient()
    run_id = log_a_model()
    told["run_id"] = run_id
    look_at_runs(client, run_id)
    register(client, run_id)
    delete(client, run_id)
    refusals(client, run_id)
    print(json.dumps(told))  # noqa: T201 - what the test reads


if __name__ == "__main__":
    main()
