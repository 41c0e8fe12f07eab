"""The whole life of v1 services, as a user of azureml-core drives it.

Prints one JSON object. Run by test_services_sdk.py, which sets the stage.
"""

import json
import logging
import os
import sys
from pathlib import Path
from typing import Any

from azureml.core import Environment, Workspace  # type: ignore[import-untyped]
from azureml.core.authentication import (  # type: ignore[import-untyped]
    ServicePrincipalAuthentication,
)
from azureml.core.model import InferenceConfig, Model  # type: ignore[import-untyped]

from tests.simulator.script_aci import (
    crash,
    live_on_aci,
    lose_an_answer,
    use_all_of_aci,
)
from tests.simulator.script_aks import list_all, use_all_of_aks
from tests.simulator.script_models import use_blobs, use_models


def main() -> None:
    workspace = workspace_of()
    models = use_models(workspace)
    model = Model(workspace, "sklearn-model", version=1)
    config = inference()
    told = {
        "lost": lose_an_answer(workspace, model, config),
        "models": models,
        "blobs": use_blobs(workspace),
        "aci": live_on_aci(workspace, model, config),
        "crash": crash(workspace, model, config),
        "options": use_all_of_aci(workspace, model, config),
        "aks": use_all_of_aks(workspace, model, config),
        "foreign": list_all(workspace),
        "environments": _environments(workspace),
    }
    sys.stdout.write("\n" + json.dumps(told, default=str) + "\n")


def workspace_of() -> Any:  # noqa: ANN401
    logging.disable(logging.CRITICAL)
    auth = ServicePrincipalAuthentication(
        os.environ["AZURE_TENANT_ID"],
        os.environ["AZURE_CLIENT_ID"],
        os.environ["AZURE_CLIENT_SECRET"],
    )
    return Workspace.get(
        os.environ["WORKSPACE"],
        auth=auth,
        subscription_id=os.environ["SUBSCRIPTION"],
        resource_group=os.environ["GROUP"],
    )


def inference() -> Any:  # noqa: ANN401
    Path("score.py").write_text("def init(): ...\ndef run(data): return data\n")
    Path("conda.yml").write_text("dependencies:\n- python=3.11\n")
    environment = Environment.from_conda_specification("served", "conda.yml")
    return InferenceConfig(entry_script="score.py", environment=environment)


def _environments(workspace: Any) -> dict[str, object]:  # noqa: ANN401
    environment = Environment.from_conda_specification("served", "conda.yml")
    versions = [environment.register(workspace).version for _ in range(2)]
    return {
        "versions": versions,
        "newest": Environment.get(workspace, "served").version,
        "listed": list(Environment.list(workspace)),
    }


if __name__ == "__main__":
    main()
