"""Train and log the demo's two models: `python -m app.cli.demo_model URI [DIRECTORY]`.

The directory is for the artifacts of a store on disk; an Azure ML workspace has a place
of its own for them.

A process of its own, because nothing else of the command line may import MLflow. The
last line of its output is a TrainedModels as JSON.
"""

import sys
from dataclasses import asdict
from json import dumps
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import mlflow
import sklearn  # type: ignore[import-untyped]
from mlflow.models import infer_signature
from numpy import round as rounded
from pandas import DataFrame  # type: ignore[import-untyped]
from sklearn.datasets import load_diabetes  # type: ignore[import-untyped]
from sklearn.linear_model import Ridge  # type: ignore[import-untyped]
from sklearn.model_selection import train_test_split  # type: ignore[import-untyped]

from app.cli.demo_trained import TrainedModel, TrainedModels

_EXPERIMENT = "slipway-demo"

# Strength of the regularization of the first and of the second model.
_ALPHAS = (0.1, 10.0)
_EXAMPLE_ROWS = 2
_DIGITS = 4
_MODEL = "model"
_MLFLOW = f"mlflow=={mlflow.__version__}"


def train(tracking_uri: str, artifacts: Path | None) -> TrainedModels:
    """Train two Ridge regressions on the diabetes data and log them to the store."""
    data = load_diabetes(as_frame=True)
    inside, outside, known, wanted = train_test_split(
        data.data, data.target, random_state=0
    )
    example = outside.head(_EXAMPLE_ROWS)
    mlflow.set_tracking_uri(tracking_uri)
    found = mlflow.get_experiment_by_name(_EXPERIMENT)
    place = None if artifacts is None else artifacts.resolve().as_uri()
    experiment = (
        found.experiment_id
        if found
        else mlflow.create_experiment(_EXPERIMENT, artifact_location=place)
    )
    log = _log_files if artifacts is None else _log
    first, second = (
        TrainedModel(
            uri=log(model, example, experiment, alpha=alpha),
            alpha=alpha,
            score=float(rounded(model.score(outside, wanted), _DIGITS)),
            predictions=rounded(model.predict(example), _DIGITS).tolist(),
        )
        for alpha in _ALPHAS
        for model in [Ridge(alpha=alpha).fit(inside, known)]
    )
    body = {"dataframe_split": example.to_dict(orient="split")}
    return TrainedModels(example=body, models=(first, second))


def _log(model: Ridge, example: DataFrame, experiment: str, *, alpha: float) -> str:
    with mlflow.start_run(experiment_id=experiment) as run:
        mlflow.log_param("alpha", alpha)
        mlflow.sklearn.log_model(model, name=_MODEL, **_description(model, example))
    return f"runs:/{run.info.run_id}/{_MODEL}"


def _log_files(
    model: Ridge, example: DataFrame, experiment: str, *, alpha: float
) -> str:
    """Log a model to a server without MLflow 3's logged models, such as Azure's."""
    with (
        mlflow.start_run(experiment_id=experiment) as run,
        TemporaryDirectory() as directory,
    ):
        mlflow.log_param("alpha", alpha)
        path = f"{directory}/{_MODEL}"
        mlflow.sklearn.save_model(model, path, **_description(model, example))
        mlflow.log_artifacts(path, artifact_path=_MODEL)
    return f"runs:/{run.info.run_id}/{_MODEL}"


def _description(model: Ridge, example: DataFrame) -> dict[str, Any]:
    return {
        "input_example": example,
        "signature": infer_signature(example, model.predict(example)),
        # Given, since finding them out would load the model once more.
        "pip_requirements": [f"scikit-learn=={sklearn.__version__}", _MLFLOW],
    }


if __name__ == "__main__":
    uri, *directory = sys.argv[1:]
    trained = train(uri, Path(directory[0]) if directory else None)
    sys.stdout.write(dumps(asdict(trained)) + "\n")
