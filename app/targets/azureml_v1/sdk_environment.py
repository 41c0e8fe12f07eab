"""The image that a service runs in, made from what the model itself asks for.

Imported by `sdk_operations` alone, in a child process.
"""

import posixpath
from pathlib import Path
from typing import Any

import requests
import yaml
from azureml._restclient.artifacts_client import (  # type: ignore[import-untyped]
    ArtifactsClient,
)
from azureml.core import Environment  # type: ignore[import-untyped]

from app.targets.failures import model_refused
from app.targets.model_description import (
    DESCRIPTION_FILE,
    LARGEST_DESCRIPTION,
    read_description,
)
from app.targets.model_files import check_relative_path

# Azure's server around the scoring script; the first version for Python 3.12 and the
# last major one that is known.
INFERENCE_SERVER = "azureml-inference-server-http~=1.4"
_ANY_SERVER = ("azureml-inference-server-http", "azureml-defaults")
_CONDA_FILE = "conda.yaml"
_FILE_SCHEMES = ("aml://artifactId/", "aml://artifact/", "azureml://artifacts/")
_DOWNLOAD_SECONDS = 30.0


def make_environment(service: str, model: Any) -> Environment:  # noqa: ANN401
    """Return the environment of a service of `model`, from the model's conda file.

    Its base image is azureml-core's own, which names a tag: the plugin's names none,
    and a retired image. Raises TargetError: `model_refused`.
    """
    files = _files(model)
    conda = Path(_CONDA_FILE)
    conda.write_bytes(_download(files[_conda_path(files)]))
    environment = Environment.from_conda_specification(f"{service}-env", str(conda))
    dependencies = environment.python.conda_dependencies
    if not any(name in dependencies.serialize_to_string() for name in _ANY_SERVER):
        dependencies.add_pip_package(INFERENCE_SERVER)
    # azureml-core puts an example of its own there.
    environment.environment_variables = {}
    return environment


def _files(model: Any) -> dict[str, str]:  # noqa: ANN401
    """Return where each of the model's files is read, by its path.

    azureml-core knows models that point at an asset; MLflow's may point at files.
    """
    for scheme in _FILE_SCHEMES:
        if model.url.startswith(scheme):
            client = ArtifactsClient(model.workspace.service_context)
            prefix = model.url.removeprefix(scheme)
            return dict(client.get_files_by_artifact_prefix_id(prefix))
    return dict(model.get_sas_urls())


def _conda_path(files: dict[str, str]) -> str:
    """Return which of the model's files says what it needs."""
    descriptions = [path for path in files if _name(path) == DESCRIPTION_FILE]
    if not descriptions:
        raise model_refused("it has no MLmodel file")
    description = min(descriptions, key=lambda path: (path.count("/"), path))
    named = _named_conda_file(_download(files[description]))
    check_relative_path(named)
    path = posixpath.normpath(posixpath.join(posixpath.dirname(description), named))
    if path not in files:
        raise model_refused(
            f"it has no {named}, from which its image would be built",
            remedy="Log the model with its conda environment, as MLflow does unless "
            "told otherwise.",
        )
    return path


def _named_conda_file(description: bytes) -> str:
    text = description.decode("utf-8", errors="replace")
    if "python_function" not in read_description(text).flavors:
        raise model_refused("its MLmodel file has no python_function flavor")
    environment = yaml.safe_load(text)["flavors"]["python_function"].get("env")
    if isinstance(environment, dict):
        environment = environment.get("conda")
    return environment if isinstance(environment, str) else _CONDA_FILE


def _download(url: str) -> bytes:
    with requests.get(url, timeout=_DOWNLOAD_SECONDS, stream=True) as answer:
        answer.raise_for_status()
        body = answer.raw.read(LARGEST_DESCRIPTION + 1, decode_content=True)
    if len(body) > LARGEST_DESCRIPTION:
        raise model_refused("one of its descriptions is larger than a megabyte")
    return bytes(body)


def _name(path: str) -> str:
    return posixpath.basename(path)
