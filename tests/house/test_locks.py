"""What is installed is what was pinned, tested and named in the project's file."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.house.files import ROOT, tracked_files

LOCKS = sorted((ROOT / "requirements").glob("*.txt"))

# Put together here, so that this file does not hold what it looks for.
ADDRESSES = re.compile(
    "|".join(
        [
            r"(?<!no-emit-)index" + "-url",
            r"pypi\." + "org",
            r"files\.python" + r"hosted\.org",
            r"registry\.npm" + r"js\.org",
            r"(?:deb|security)\.debian\." + "org",
            r'"resolved": "' + "https?:",
            'registry = "' + "https?:",
        ]
    )
)
PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^ ;]+)(?: ; .+)? \\$")


def test_no_tracked_file_names_a_package_registry() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {match.group()}"
        for path in tracked_files()
        for match in ADDRESSES.finditer(path.read_text(errors="replace"))
    ]

    assert found == []


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_every_requirement_is_pinned_by_hash(lock: Path) -> None:
    lines = lock.read_text().splitlines()
    content = [line for line in lines if line and not line.lstrip().startswith("#")]

    unpinned = [
        line
        for line, following in zip(content, [*content[1:], ""], strict=True)
        if not line.startswith("    --hash=sha256:")
        and not (PIN.match(line) and following.startswith("    --hash=sha256:"))
    ]
    assert unpinned == []


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_a_lock_file_says_nothing_of_the_machine_that_wrote_it(lock: Path) -> None:
    comments = re.findall(r"^ *#.*$", lock.read_text(), flags=re.MULTILINE)

    assert [line for line in comments if re.search(r"\s/\w|://", line)] == []


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_what_ships_is_what_was_tested(lock: Path) -> None:
    tested = _pins(ROOT / "requirements/dev.txt")

    for name, versions in _pins(lock).items():
        assert versions <= tested[name]


def test_the_base_install_has_neither_mlflow_nor_azure() -> None:
    heavy = ("azure", "mlflow", "msrest", "numpy", "pandas", "scikit", "skops")

    base = _pins(ROOT / "requirements/base.txt")

    assert [name for name in base if name.startswith(heavy)] == []


def test_the_locks_satisfy_the_project_file() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    extras = project["project"]["optional-dependencies"].values()
    groups = project["dependency-groups"].values()
    declared = [*project["project"]["dependencies"]]
    declared += [one for group in [*extras, *groups] for one in group]
    pins = _pins(ROOT / "requirements/dev.txt")

    for text in declared:
        if isinstance(text, str):
            requirement = Requirement(text)
            for version in pins[canonicalize_name(requirement.name)]:
                assert requirement.specifier.contains(version), text


def _pins(lock: Path) -> dict[str, set[str]]:
    """Return each name's versions: two where Python's version decides."""
    pins: dict[str, set[str]] = {}
    for line in lock.read_text().splitlines():
        if match := PIN.match(line):
            name = canonicalize_name(match.group(1))
            pins.setdefault(name, set()).add(match.group(2))
    return pins
