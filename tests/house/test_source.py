"""House rules for the Python files that ruff has no rule for."""

import ast
from pathlib import Path

import pytest

from tests.house.files import ROOT, python_files

MAX_LINES = 300

Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def test_every_module_and_public_name_of_the_application_is_documented() -> None:
    undocumented = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in python_files("app")
        for name, node in _public_names(path)
        if not ast.get_docstring(node)
    ]

    assert undocumented == []


# Migrations are left out: one is a step, and no step is split to be shorter.
@pytest.mark.parametrize("folder", ["app", "tests", "bench"])
def test_no_file_is_longer_than_its_reader_can_hold(folder: str) -> None:
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text().splitlines())
        for path in python_files(folder)
    }

    too_long = {name: lines for name, lines in lengths.items() if lines > MAX_LINES}
    assert too_long == {}


def _public_names(path: Path) -> list[tuple[str, Documented]]:
    module = ast.parse(path.read_text())
    found: list[tuple[str, Documented]] = [("the module", module)]
    for node in module.body:
        found += _with_members(node)
    return found


def _with_members(node: ast.stmt) -> list[tuple[str, Documented]]:
    if not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        return []
    # A dunder is documented by the language, an override by what it overrides.
    if node.name.startswith("_") or _is_override(node):
        return []
    members = node.body if isinstance(node, ast.ClassDef) else []
    inner = [pair for member in members for pair in _with_members(member)]
    return [(node.name, node), *((f"{node.name}.{name}", n) for name, n in inner)]


def _is_override(node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return any("override" in ast.unparse(one) for one in node.decorator_list)
