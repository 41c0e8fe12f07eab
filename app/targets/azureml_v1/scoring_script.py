"""The scoring script of every v1 service: the MLflow model under AZUREML_MODEL_DIR.

It runs in the service's own image, never here: `init` and `run` are what Azure's
inference server calls. A body is one of MLflow's (`dataframe_split`,
`dataframe_records`, `instances`, `inputs`) or of Azure's (`input_data`, `data`).
"""

import io
import json
import os
from pathlib import Path
from typing import Any

_BAD_REQUEST = 400
_MLFLOW_KEYS = ("dataframe_split", "dataframe_records", "instances", "inputs")
_AZURE_KEYS = ("input_data", "data")
_state: dict[str, Any] = {}


def init() -> None:
    """Load the model; the service is not ready before that."""
    import mlflow.pyfunc  # noqa: PLC0415 - only the service's image has it

    folder = _model_folder(Path(os.environ["AZUREML_MODEL_DIR"]))
    _state["model"] = mlflow.pyfunc.load_model(str(folder))


def run(raw_data: str) -> Any:  # noqa: ANN401 - whatever the server passes on
    """Return what MLflow's own server answers to the body."""
    from mlflow.exceptions import MlflowException  # noqa: PLC0415
    from mlflow.pyfunc import scoring_server as server  # noqa: PLC0415

    # Which functions it has depends on the model's own release of MLflow.
    scoring_server: Any = server
    try:
        data, params = _read(json.loads(raw_data), scoring_server)
        model = _state["model"]
        predictions = model.predict(data, params=params) if params else None
        if predictions is None:
            predictions = model.predict(data)
    except (MlflowException, ValueError) as error:
        return _refusal(str(error))
    written = io.StringIO()
    scoring_server.predictions_to_json(predictions, written)
    return json.loads(written.getvalue())


def as_mlflow(body: Any) -> dict[str, Any]:  # noqa: ANN401 - a caller's JSON
    """Return a body in MLflow's words. Raises ValueError for none that is known."""
    if isinstance(body, list):
        return {"instances": body}
    if not isinstance(body, dict):
        raise ValueError("The body must be a JSON object.")  # noqa: TRY004 - answered
    if any(key in body for key in _MLFLOW_KEYS):
        return body
    for key in _AZURE_KEYS:
        if key in body:
            params = {"params": body["params"]} if "params" in body else {}
            return {_kind_of(body[key]): body[key], **params}
    names = ", ".join((*_MLFLOW_KEYS, *_AZURE_KEYS))
    raise ValueError(f"The body must have one of: {names}.")


def _kind_of(value: Any) -> str:  # noqa: ANN401
    """Return MLflow's name for what stands under one of Azure's keys."""
    if isinstance(value, dict) and "columns" in value and "data" in value:
        return "dataframe_split"
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return "dataframe_records"
    return "inputs"


def _read(body: Any, server: Any) -> tuple[Any, Any]:  # noqa: ANN401
    """Return the model's input and its parameters, read as MLflow's server does."""
    known = as_mlflow(body)
    metadata = _state["model"].metadata
    schema = metadata.get_input_schema() if metadata is not None else None
    params = known.get("params")
    data = {key: value for key, value in known.items() if key != "params"}
    # Renamed in MLflow 2.9; the image has the model's own release.
    parse = getattr(server, "infer_and_parse_data", None)
    if parse is None:
        parse = server.infer_and_parse_json_input
    return parse(data, schema), params


def _model_folder(root: Path) -> Path:
    """Return the folder of the MLmodel file that is least deep below `root`."""
    found = sorted(root.rglob("MLmodel"), key=lambda path: (len(path.parts), path))
    if not found:
        raise FileNotFoundError(f"there is no MLmodel file below {root}")
    return found[0].parent


def _refusal(message: str) -> Any:  # noqa: ANN401
    """Return a 400 as the inference server wants it."""
    from azureml_inference_server_http.api.aml_response import (  # type: ignore[import-not-found]  # noqa: PLC0415
        AMLResponse,
    )

    return AMLResponse({"message": message}, _BAD_REQUEST, json_str=True)
