"""The API process holds neither MLflow nor an Azure SDK."""

import json
import subprocess
import sys

import pytest

from tests.house.files import ROOT

HEAVY = {"azure", "azureml", "mlflow", "msrest", "numpy", "pandas", "scipy", "sklearn"}


@pytest.mark.parametrize("entry", ["app.__main__", "app.main", "app.api.app"])
def test_the_api_process_imports_no_mlflow_and_no_cloud_sdk(entry: str) -> None:
    program = f"import json, sys, {entry}; print(json.dumps(sorted(sys.modules)))"

    # A process of its own: this one may have imported them for other tests.
    finished = subprocess.run(  # noqa: S603 - our own interpreter and program
        [sys.executable, "-c", program],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert finished.returncode == 0, finished.stderr
    loaded = {name.partition(".")[0] for name in json.loads(finished.stdout)}
    assert loaded & HEAVY == set()
