"""Real MLflow stores with small real models, built once and copied for each test.

Building one means importing MLflow and training, which takes half a minute; it is
done in a process of its own, because MLflow changes the one that it is imported into.
"""

import fcntl
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.core.workspace import Limits, MlflowWorkspace, Workspace

_REPOSITORY = Path(__file__).resolve().parents[1]
_INDEX = "runs.json"
# Where SQLite keeps what the logged files are found by.
_LOCATIONS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "storage_location"),
)


@dataclass(frozen=True, kw_only=True)
class StoreOnDisk:
    """A sqlite store; `runs` are the ids of the runs by the name of their model.

    ridge_a, ridge_b: Ridge on diabetes, with example and signature, unlike answers.
    bare: neither example nor signature. broken: fails to load, "the weights are
    missing". crashing: ends its process when it is asked about -1. nosy: tries to
    misbehave while it is loaded and answers with what became of it.
    """

    directory: Path
    runs: dict[str, str]

    @property
    def uri(self) -> str:
        return f"sqlite:///{self.directory}/mlflow.db"

    def model_uri(self, name: str) -> str:
        return f"runs:/{self.runs[name]}/model"

    def workspace(self) -> Workspace:
        return workspace_of(self.uri)


def workspace_of(tracking_uri: str) -> Workspace:
    now = datetime(2026, 11, 22, tzinfo=UTC)
    return Workspace(
        id="ws_test",
        name="local",
        project="default",
        identity=MlflowWorkspace(tracking_uri=tracking_uri),
        limits=Limits(),
        projects=None,
        created_by="tests",
        created_at=now,
        updated_at=now,
    )


def built_store(factory: pytest.TempPathFactory) -> StoreOnDisk:
    """Return the store that all tests of this run share; copy it before a change."""
    base = factory.getbasetemp()
    # Under xdist each worker has a directory of its own beside those of the others.
    shared = base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base
    directory = shared / "built-store"
    with (shared / "built-store.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (directory / _INDEX).exists():
            _build(directory)
    return _opened(directory)


def copied_store(store: StoreOnDisk, directory: Path) -> StoreOnDisk:
    """Return a copy of `store` at the new `directory`, which knows where it is."""
    shutil.copytree(store.directory, directory)
    with sqlite3.connect(directory / "mlflow.db") as database:
        for table, column in _LOCATIONS:
            database.execute(
                f"UPDATE {table} SET {column} = replace({column}, ?, ?)",  # noqa: S608 - constants
                (str(store.directory), str(directory)),
            )
    database.close()
    return _opened(directory)


def _opened(directory: Path) -> StoreOnDisk:
    runs = json.loads((directory / _INDEX).read_text())
    return StoreOnDisk(directory=directory, runs=runs)


def _build(directory: Path) -> None:
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()
    finished = subprocess.run(  # noqa: S603 - our own module
        [sys.executable, "-m", "tests.model_building", str(directory)],
        cwd=_REPOSITORY,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(directory),
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "GIT_PYTHON_REFRESH": "quiet",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    (directory / _INDEX).write_text(finished.stdout)
