"""What the code imports is what the project file declares."""

import ast
import importlib.metadata
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.house.files import ROOT, python_files

OURS = {"app", "bench", "migrations", "tests"}


def test_the_api_and_the_cli_import_the_base_install_alone() -> None:
    heavy = ("app/targets/", "app/cli/demo")
    base = [
        path
        for path in python_files("app", "migrations")
        if not str(path.relative_to(ROOT)).startswith(heavy)
    ]

    assert _undeclared(base, _declared(extras=[], groups=[])) == set()


def test_the_application_imports_nothing_undeclared() -> None:
    declared = _declared(extras=["embedded", "worker", "demo"], groups=[])
    # Runs in a service's own image, which brings what it imports.
    elsewhere = ROOT / "app/targets/azureml_v1/scoring_script.py"
    files = [path for path in python_files("app") if path != elsewhere]

    assert _undeclared(files, declared) == set()


def test_tests_and_benches_import_nothing_undeclared() -> None:
    declared = _declared(extras=["embedded", "worker", "demo"], groups=["dev"])

    assert _undeclared(python_files("tests", "bench"), declared) == set()


def _declared(*, extras: list[str], groups: list[str]) -> set[str]:
    project: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
    texts = [*project["project"]["dependencies"]]
    for extra in extras:
        texts += project["project"]["optional-dependencies"][extra]
    for group in groups:
        texts += project["dependency-groups"][group]
    requirements = [Requirement(text) for text in texts if isinstance(text, str)]
    names = {canonicalize_name(one.name) for one in requirements}
    # An extra of a requirement declares the package behind it, as psycopg's pool.
    split = {f"{one.name}-{extra}" for one in requirements for extra in one.extras}
    return names | {canonicalize_name(name) for name in split}


def _undeclared(paths: Iterable[Path], declared: set[str]) -> set[tuple[str, str]]:
    distributions = importlib.metadata.packages_distributions()
    return {
        (str(path.relative_to(ROOT)), name)
        for path in paths
        for name in _imported(path) - sys.stdlib_module_names - OURS
        if not declared & {canonicalize_name(n) for n in distributions.get(name, [])}
    }


def _imported(path: Path) -> set[str]:
    """Return the top-level names that a file imports, wherever it does so."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return {name.partition(".")[0] for name in names}
