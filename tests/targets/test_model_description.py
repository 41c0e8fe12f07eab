"""What an MLmodel file may say."""

from typing import Any

import pytest
import yaml

from app.core.failure import FailureCode, TargetError
from app.targets.model_description import read_description, read_example

_SKLEARN: dict[str, Any] = {
    "artifact_path": "file:///home/author/mlruns/artifacts",
    "flavors": {
        "python_function": {
            "env": {"conda": "conda.yaml", "virtualenv": "python_env.yaml"},
            "loader_module": "mlflow.sklearn",
            "model_path": "model.skops",
            "predict_fn": "predict",
            "python_version": "3.11.7",
        },
        "sklearn": {
            "code": None,
            "pickled_model": "model.skops",
            "sklearn_version": "1.9.1",
        },
    },
    "mlflow_version": "3.15.0",
    "model_size_bytes": 10969,
    "saved_input_example_info": {
        "artifact_path": "input_example.json",
        "serving_input_path": "serving_input_example.json",
        "type": "dataframe",
    },
    "signature": {"inputs": "[]"},
}
_CODE: dict[str, Any] = {
    "flavors": {
        "python_function": {
            "artifacts": {
                "weights": {"path": "artifacts/w.bin", "uri": "/home/author/w.bin"}
            },
            "code": "code",
            # MLflow writes the author's own path here and reads its last part.
            "model_code_path": "/home/author/model.py",
            "config": {"data_path": "/mnt/data", "url": "https://example.com/../x"},
            "loader_module": "mlflow.pyfunc.model",
        },
        "transformers": {"source_model_name": "/models/bert", "torch_dtype": "f32"},
    },
    "metadata": {"path": "/anything"},
}


def _changed(**fields: Any) -> str:  # noqa: ANN401 - YAML is anything
    function = {**_SKLEARN["flavors"]["python_function"], **fields}
    return yaml.safe_dump({**_SKLEARN, "flavors": {"python_function": function}})


def test_what_mlflow_writes_is_read() -> None:
    description = read_description(yaml.safe_dump(_SKLEARN))

    assert set(description.flavors) == {"python_function", "sklearn"}
    assert description.python_version == "3.11.7"
    assert description.mlflow_version == "3.15.0"
    assert description.has_signature
    assert description.example_path == "serving_input_example.json"
    assert description.size_bytes == 10969


def test_paths_of_the_author_that_nobody_follows_are_left_alone() -> None:
    description = read_description(yaml.safe_dump(_CODE))

    assert set(description.flavors) == {"python_function", "transformers"}
    assert description.example_path is None
    assert not description.has_signature


def test_the_same_value_twice_is_read() -> None:
    shared = {"conda": "conda.yaml"}
    text = yaml.safe_dump({"flavors": {"a": {"env": shared}, "b": {"env": shared}}})

    assert "&id001" in text
    assert read_description(text).flavors == ("a", "b")


_CLIMBING = {
    "absolute": "/etc/passwd",
    "parent": "../admin.key",
    "inner parent": "data/../../admin.key",
    "home": "~/admin.key",
    "other user": "~root/admin.key",
    "file url": "file:///etc/passwd",
    "http url": "http://169.254.169.254/latest",
    "cloud": "s3://bucket/model",
    "backslash": "..\\admin.key",
    "null": "model\0",
    "line end": "model\nmore",
    "too long": "a/" * 600 + "b",
    "too deep": "a/" * 40 + "b",
}


@pytest.mark.parametrize("path", _CLIMBING.values(), ids=_CLIMBING.keys())
@pytest.mark.parametrize("field", ["model_path", "code", "data", "some_new_file"])
def test_a_path_that_leaves_the_model_is_refused(field: str, path: str) -> None:
    with pytest.raises(TargetError) as error:
        read_description(_changed(**{field: path}))

    assert error.value.failure.code is FailureCode.MODEL_REFUSED
    assert not error.value.transient


_NESTED = {
    "conda": {"env": {"conda": "../conda.yaml"}},
    "code paths": {"code": ["code", "../../other"]},
    "artifact": {"artifacts": {"weights": {"path": "/etc/passwd", "uri": "x"}}},
    "below a path": {"data": {"anything": {"deeper": ["/etc/passwd"]}}},
    "python model": {"python_model": "../model.pkl"},
    "extra files": {"extra_files": [{"path": "../x"}]},
    "requirements": {"requirements_file": {"path": "/etc/passwd"}},
}


@pytest.mark.parametrize("fields", _NESTED.values(), ids=_NESTED.keys())
def test_a_path_is_found_however_deep_it_stands(fields: dict[str, Any]) -> None:
    with pytest.raises(TargetError):
        read_description(_changed(**fields))


@pytest.mark.parametrize("key", ["serving_input_path", "artifact_path", "params_path"])
def test_an_example_outside_of_the_model_is_refused(key: str) -> None:
    example = {"saved_input_example_info": {key: "../secretdir/admin.key"}}

    with pytest.raises(TargetError):
        read_description(yaml.safe_dump({**_SKLEARN, **example}))


_BOMB = "a: &a [x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)

_UNREADABLE = {
    "empty": "",
    "text": "hello",
    "list": "- a",
    "no flavors": "run_id: x",
    "empty flavors": "flavors: {}",
    "flavors as text": "flavors: python_function",
    "not YAML": "flavors: [",
    "two documents": "a: 1\n---\nb: 2",
    "a Python object": "flavors: !!python/object/apply:os.system ['true']",
    "an unknown tag": "flavors: !x {}",
    "too deep": "flavors: " + "[" * 5000,
    "copies of copies": f"{_BOMB}flavors: {{f: {{data: *i}}}}",
    "merges of merges": "a: &a {x: 1}\nb: &b {<<: [*a, *a]}\nflavors: *b",
    "a list as key": "flavors: {[a]: b}",
}


@pytest.mark.parametrize("text", _UNREADABLE.values(), ids=_UNREADABLE.keys())
def test_what_is_no_description_is_refused(text: str) -> None:
    with pytest.raises(TargetError) as error:
        read_description(text)

    assert error.value.failure.code is FailureCode.MODEL_REFUSED


@pytest.mark.parametrize(
    "changed",
    [
        {"model_size_bytes": "big"},
        {"model_size_bytes": -1},
        {"model_size_bytes": True},
        {"mlflow_version": ["3"]},
        {"mlflow_version": "3\n.15"},
        {"saved_input_example_info": "example"},
        {"signature": None},
    ],
)
def test_facts_of_another_type_are_unknown(changed: dict[str, Any]) -> None:
    description = read_description(yaml.safe_dump({**_SKLEARN, **changed}))

    names = {
        "model_size_bytes": "size_bytes",
        "mlflow_version": "mlflow_version",
        "saved_input_example_info": "example_path",
        "signature": "has_signature",
    }
    assert not getattr(description, names[next(iter(changed))])


def test_an_example_is_json_that_can_be_sent_and_stored() -> None:
    assert read_example(b'{"inputs": [1]}') == '{"inputs": [1]}'
    for data in (b"", b"{", b"\xff", b'"\\u0000"', b"[" * 100_000):
        assert read_example(data) is None
