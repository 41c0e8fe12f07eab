"""Simulated predictions: of the right shape, the same each time, and labeled so."""

import hashlib
import json

_ROWS_OF_OBJECT = ("dataframe_records", "instances", "inputs", "data")


def predicted(body: object) -> dict[str, object]:
    """Return one simulated number per row of a scoring request."""
    return {"predictions": [_value(row) for row in _rows(body)], "simulated": True}


def invocation(body: object) -> object:
    """Return a scoring request as MLflow's scoring server takes it.

    `input_data` is Azure's name for what MLflow calls `dataframe_split` or `inputs`.
    """
    if not isinstance(body, dict) or "input_data" not in body:
        return body
    given = body["input_data"]
    if isinstance(given, dict) and "columns" in given:
        split = {key: given[key] for key in ("columns", "data") if key in given}
        return {"dataframe_split": split}
    return {"inputs": given}


def _rows(body: object) -> list[object]:
    if isinstance(body, list):
        return body
    if not isinstance(body, dict):
        return [body]
    for name in ("input_data", "dataframe_split"):
        if name in body:
            return _rows(body[name])
    for name in _ROWS_OF_OBJECT:
        if name in body:
            return _columns(body[name])
    return [body]


def _columns(given: object) -> list[object]:
    """Return rows, also of a map from each input's name to its values."""
    if not isinstance(given, dict):
        return given if isinstance(given, list) else [given]
    columns = [values for values in given.values() if isinstance(values, list)]
    return [list(row) for row in zip(*columns, strict=False)] if columns else [given]


def _value(row: object) -> float:
    text = json.dumps(row, sort_keys=True, default=str)
    number = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")
    return round(number / 2**32, 6)
