"""The targets by kind, loaded by name."""

import subprocess
import sys
from pathlib import Path

from app.core.clock import SystemClock
from app.core.errors import NotFoundError
from app.core.target import ChangesInPlace, SupportsTraffic
from app.core.workspace import Workspace
from app.settings import Settings
from app.targets import registry

_AT_AZURE = {"aci", "aks"}


async def _no_workspace(workspace_id: str) -> Workspace:
    raise NotFoundError(f"There is no workspace {workspace_id}.")


def _settings(directory: Path, *, local_enabled: bool) -> Settings:
    return Settings(data_dir=directory, local_enabled=local_enabled)


async def test_what_is_turned_on_is_opened_by_its_kind(tmp_path: Path) -> None:
    settings = _settings(tmp_path, local_enabled=True)

    async with registry.opened(
        settings, clock=SystemClock(), find_workspace=_no_workspace
    ) as opened:
        assert set(opened.targets) == {"local"} | _AT_AZURE
        assert all(kind == target.kind for kind, target in opened.targets.items())
        assert isinstance(opened.targets["local"], SupportsTraffic)
        assert all(isinstance(opened.targets[k], ChangesInPlace) for k in _AT_AZURE)
        assert hasattr(opened.store, "resolve")


async def test_what_is_turned_off_is_left_out(tmp_path: Path) -> None:
    settings = _settings(tmp_path, local_enabled=False)

    async with registry.opened(
        settings, clock=SystemClock(), find_workspace=_no_workspace
    ) as opened:
        assert set(opened.targets) == _AT_AZURE


def test_naming_the_targets_loads_none_of_them() -> None:
    program = (
        "import sys; import app.targets.registry, app.targets.scoring;"
        "print([n for n in sys.modules if n.startswith(('mlflow', 'app.targets.l'))])"
    )

    finished = subprocess.run(  # noqa: S603 - our own interpreter and program
        [sys.executable, "-c", program],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )

    assert finished.stdout.strip() == "[]"


def test_serving_a_target_loads_no_mlflow_into_the_service() -> None:
    program = (
        "import sys; import app.targets.local, app.targets.mlflow_store;"
        "print([n for n in sys.modules if n.startswith(('mlflow', 'pandas'))])"
    )

    finished = subprocess.run(  # noqa: S603 - our own interpreter and program
        [sys.executable, "-c", program],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )

    assert finished.stdout.strip() == "[]"
