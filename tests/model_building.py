"""The program that trains and logs the models of `tests.models`.

Run as `python -m tests.model_building <directory>`: prints the runs as JSON. The
classes are pickled by value, because this is the main module, so that a scoring
server needs nothing of ours to load them.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

import mlflow
from mlflow.models import infer_signature
from mlflow.pyfunc.model import PythonModel, PythonModelContext
from sklearn.datasets import load_diabetes  # type: ignore[import-untyped]
from sklearn.linear_model import Ridge  # type: ignore[import-untyped]
from typing_extensions import override

# Given, so that MLflow does not load each model once more to find them out.
_REQUIREMENTS = ["scikit-learn"]

# A pandas.DataFrame.
Frame = Any


class Broken(PythonModel):
    """Fails to load."""

    @override
    def load_context(self, context: PythonModelContext) -> None:
        sys.stderr.write("looking for the weights\n")
        raise RuntimeError("the weights are missing")

    @override
    def predict(
        self,
        context: object,
        model_input: Frame,
        params: dict[str, Any] | None = None,
    ) -> list[float]:
        return [0.0]


class Crashing(PythonModel):
    """Ends its process when it is asked about -1."""

    @override
    def predict(
        self,
        context: object,
        model_input: Frame,
        params: dict[str, Any] | None = None,
    ) -> list[float]:
        value = float(model_input["value"].iloc[0])
        if value == -1:
            os._exit(7)
        return [value]


class Nosy(PythonModel):
    """Tries what a model may not do; the environment says where to try it."""

    @override
    def load_context(self, context: PythonModelContext) -> None:
        program = Path(context.artifacts["attempts"]).read_text()
        names: dict[str, Any] = {}
        exec(program, names)  # noqa: S102 - what a hostile model does
        self._record = names["attempt_everything"]()

    @override
    def predict(
        self,
        context: object,
        model_input: Frame,
        params: dict[str, Any] | None = None,
    ) -> list[str]:
        return [json.dumps(self._record)]


def main(directory: Path) -> None:
    mlflow.set_tracking_uri(f"sqlite:///{directory}/mlflow.db")
    artifacts = directory / "artifacts"
    artifacts.mkdir()
    experiment = mlflow.create_experiment("test", artifact_location=artifacts.as_uri())
    mlflow.set_experiment(experiment_id=experiment)
    runs = {
        "ridge_a": _log_ridge(alpha=1.0, documented=True),
        "ridge_b": _log_ridge(alpha=1000.0, documented=True),
        "bare": _log_ridge(alpha=1.0, documented=False),
        "broken": _log(Broken()),
        "crashing": _log(Crashing()),
        "nosy": _log(Nosy(), attempts=str(Path(__file__).parent / "attempts.py")),
    }
    sys.stdout.write(json.dumps(runs))


def _log_ridge(*, alpha: float, documented: bool) -> str:
    features, target = load_diabetes(return_X_y=True, as_frame=True)
    model = Ridge(alpha=alpha).fit(features, target)
    example = {
        "input_example": features.head(2),
        "signature": infer_signature(features, target),
    }
    with mlflow.start_run() as run:
        mlflow.sklearn.log_model(
            model,
            name="model",
            pip_requirements=_REQUIREMENTS,
            **(example if documented else {}),
        )
    return str(run.info.run_id)


def _log(model: PythonModel, **artifacts: str) -> str:
    with mlflow.start_run() as run:
        mlflow.pyfunc.log_model(
            name="model",
            python_model=model,
            pip_requirements=_REQUIREMENTS,
            artifacts=artifacts or None,
        )
    return str(run.info.run_id)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
