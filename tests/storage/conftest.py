"""A data directory that has a cluster already, made once for many tests."""

import subprocess
from pathlib import Path

import pytest

from tests.storage.owning import running


@pytest.fixture(scope="session")
def pristine_dir(servers_root: Path) -> Path:
    """A data directory as its first start and stop left it."""
    with running(servers_root / "pristine"):
        pass
    return servers_root / "pristine"


@pytest.fixture
def made_dir(server_dir: Path, pristine_dir: Path) -> Path:
    """A copy of it for this test alone."""
    # Root's copies must belong to whom the originals do, which shutil cannot do.
    command = ["/bin/cp", "-a", str(pristine_dir), str(server_dir / "made")]
    subprocess.run(command, check=True, timeout=60)  # noqa: S603  # built here
    return server_dir / "made"
