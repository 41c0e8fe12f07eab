"""What a model says of itself in its MLmodel file, read as a stranger's words."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml
from typing_extensions import override

from app.targets.failures import model_refused
from app.targets.model_files import check_relative_path

DESCRIPTION_FILE = "MLmodel"
LARGEST_DESCRIPTION = 1024 * 1024
LARGEST_EXAMPLE = 1024 * 1024
LARGEST_ENVIRONMENT = 256 * 1024

# Where MLflow's flavors write paths that they join to the model's directory, beside
# whatever ends like one. MLflow reads only the last part of `model_code_path`, and
# `uri` only says where an artifact once came from.
_PATH_KEYS = frozenset(
    {
        *("code", "conda", "data", "env", "extra_files", "model_binary"),
        *("model_data", "model_file", "path", "pickled_model", "python_model"),
        *("requirements_file", "state_dict", "virtualenv"),
    }
)
_PATH_ENDINGS = ("_dir", "_file", "_path", "_paths", "_subpath")
_HARMLESS_KEYS = frozenset({"model_code_path", "uri"})
# What a model's author hands to the model's own code; MLflow does not look inside.
_OPAQUE_KEYS = frozenset({"config", "metadata", "model_config"})
# More than the widest real model; repeated anchors multiply without it.
_MOST_VALUES = 100_000
_LONGEST_NAME = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class Description:
    """A model's own account of itself; every path in it stays inside its directory."""

    flavors: tuple[str, ...]
    python_version: str | None
    mlflow_version: str | None
    has_signature: bool
    example_path: str | None
    conda_path: str | None
    size_bytes: int | None


def read_description(text: str) -> Description:
    """Return what an MLmodel file says.

    Raises TargetError (`model_refused`) if it is not one, if it could not be read
    within bounds, or if one of its paths leads out of the model's directory.
    """
    document = _load(text)
    flavors = document.get("flavors")
    if not isinstance(flavors, dict) or not flavors:
        raise model_refused("its MLmodel file names no flavors")
    example = document.get("saved_input_example_info")
    for key, value in _strings({"flavors": flavors, "example": example}):
        if _names_a_path(key):
            check_relative_path(value)
    function = flavors.get("python_function")
    return Description(
        flavors=tuple(str(name)[:_LONGEST_NAME] for name in flavors),
        python_version=_text(function, "python_version"),
        mlflow_version=_text(document, "mlflow_version"),
        has_signature=bool(document.get("signature")),
        example_path=_text(example, "serving_input_path"),
        conda_path=_conda_path(function),
        size_bytes=_number(document.get("model_size_bytes")),
    )


def read_example(data: bytes) -> str | None:
    """Return a serving example as JSON text; None if it is none that can be sent."""
    try:
        text = data.decode()
        json.loads(text)
    except (ValueError, RecursionError):
        return None
    return None if "\0" in text or "\\u0000" in text else text


class _Loader(yaml.SafeLoader):
    """YAML without merge keys, whose copies of copies grow beyond any memory."""

    @override
    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        for key, _ in node.value:
            if key.tag == "tag:yaml.org,2002:merge":
                raise yaml.YAMLError("merge keys are not read")


def _load(text: str) -> dict[str, Any]:
    try:
        document = yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise model_refused("its MLmodel file is not readable YAML") from error
    if not isinstance(document, dict):
        raise model_refused("its MLmodel file is not a mapping")
    return document


def _strings(document: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield every string with the key that it stands under, however deep below."""
    pending: list[tuple[str, Any]] = [("", document)]
    for _ in range(_MOST_VALUES):
        if not pending:
            return
        key, value = pending.pop()
        if key in _OPAQUE_KEYS:
            continue
        match value:
            case str():
                yield key, value
            case dict():
                pending += [(_inner(key, name), one) for name, one in value.items()]
            case list():
                pending += [(key, one) for one in value]
            case _:
                continue
    raise model_refused("its MLmodel file holds more than it can mean")


def _inner(outer: str, name: object) -> str:
    """Return the key for what stands below `name`: a path's parts are paths too."""
    text = str(name)
    return text if text in _HARMLESS_KEYS or not _names_a_path(outer) else outer


def _names_a_path(key: str) -> bool:
    if key in _HARMLESS_KEYS:
        return False
    return key in _PATH_KEYS or key.endswith(_PATH_ENDINGS)


def _conda_path(function: object) -> str | None:
    """Return the conda file that a pyfunc names: MLflow 1 had a plain path there."""
    environment = function.get("env") if isinstance(function, dict) else None
    if isinstance(environment, dict):
        return _text(environment, "conda")
    return _text(function, "env")


def _text(holder: object, key: str) -> str | None:
    value = holder.get(key) if isinstance(holder, dict) else None
    return value[:1024] if isinstance(value, str) and value.isprintable() else None


def _number(value: object) -> int | None:
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if 0 <= value < 2**63 else None
