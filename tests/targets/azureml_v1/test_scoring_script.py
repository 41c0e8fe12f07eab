"""The scoring script, as Azure's inference server calls it, with a real model."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from app.targets.azureml_v1 import scoring_script
from tests.models import StoreOnDisk

_SCRIPT = Path(scoring_script.__file__)
_VALUES = [[0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.07, 0.08, 0.09, 0.1]]
_COLUMNS = ["age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6"]
_RECORD = dict(zip(_COLUMNS, _VALUES[0], strict=True))
_SPLIT = {"columns": _COLUMNS, "data": _VALUES}

# What Azure's server does: load the script by its path, `init` once, `run` each body.
_SERVER = """
import importlib.util, json, sys, types
answers = types.ModuleType("azureml_inference_server_http.api.aml_response")
class AMLResponse:
    def __init__(self, message, status, json_str=False):
        self.status = status
answers.AMLResponse = AMLResponse
for name in ("azureml_inference_server_http", "azureml_inference_server_http.api"):
    sys.modules[name] = types.ModuleType(name)
sys.modules[answers.__name__] = answers
spec = importlib.util.spec_from_file_location("score", sys.argv[1])
score = importlib.util.module_from_spec(spec)
spec.loader.exec_module(score)
score.init()
told = {}
for name, body in json.load(sys.stdin).items():
    answer = score.run(body)
    told[name] = getattr(answer, "status", answer)
print(json.dumps(told))
"""


@pytest.mark.parametrize(
    ("body", "key"),
    [
        ({"dataframe_split": _SPLIT}, "dataframe_split"),
        ({"dataframe_records": [_RECORD]}, "dataframe_records"),
        ({"instances": _VALUES}, "instances"),
        ({"inputs": _VALUES}, "inputs"),
        ({"input_data": _SPLIT}, "dataframe_split"),
        ({"input_data": [_RECORD]}, "dataframe_records"),
        ({"data": _VALUES}, "inputs"),
        (_VALUES, "instances"),
    ],
)
def test_a_body_of_either_kind_is_read(body: Any, key: str) -> None:  # noqa: ANN401
    assert list(scoring_script.as_mlflow(body)) == [key]


def test_parameters_go_along() -> None:
    read = scoring_script.as_mlflow({"data": _VALUES, "params": {"top": 1}})

    assert read == {"inputs": _VALUES, "params": {"top": 1}}


@pytest.mark.parametrize("body", [{}, {"x": 1}, 7, None, "text"])
def test_any_other_body_is_refused(body: object) -> None:
    with pytest.raises(ValueError, match="body must"):
        scoring_script.as_mlflow(body)


@pytest.mark.slow
def test_a_real_model_answers_every_body(
    shared_store: StoreOnDisk, tmp_path: Path
) -> None:
    (logged,) = {
        path.parent
        for path in shared_store.directory.rglob("MLmodel")
        if shared_store.runs["ridge_a"] in path.read_text()
    }
    # Azure mounts a version's files one folder below.
    shutil.copytree(logged, tmp_path / "mounted" / "model")
    bodies = {
        "dataframe_split": json.dumps({"dataframe_split": _SPLIT}),
        "dataframe_records": json.dumps({"dataframe_records": [_RECORD]}),
        "input_data": json.dumps({"input_data": _SPLIT}),
        "records": json.dumps({"input_data": [_RECORD]}),
        "wrong_columns": json.dumps({"dataframe_records": [{"x": 1}]}),
        "wrong_key": json.dumps({"x": 1}),
        "no_json": "{",
    }

    finished = subprocess.run(  # noqa: S603 - our own interpreter and program
        [sys.executable, "-c", _SERVER, str(_SCRIPT)],
        input=json.dumps(bodies),
        env={
            "AZUREML_MODEL_DIR": str(tmp_path / "mounted"),
            "HOME": str(tmp_path),
            "MLFLOW_DISABLE_TELEMETRY": "true",
        },
        capture_output=True,
        text=True,
        check=False,
    )

    assert finished.returncode == 0, finished.stderr
    told = json.loads(finished.stdout.splitlines()[-1])
    right = told["dataframe_split"]
    assert len(right["predictions"]) == 1
    for name in ("dataframe_records", "input_data", "records"):
        assert told[name] == right
    for name in ("wrong_columns", "wrong_key", "no_json"):
        assert told[name] == 400
