"""The documents for people list what the code declares: all of it, and nothing else."""

import re

import pytest

# The API's own errors are among those listed: each is declared where it is raised.
import app.api.app  # noqa: F401
from app.api.errors import status_of
from app.cli.connection import ClientSettings
from app.cli.outcome import ExitStatus
from app.core.errors import AppError, OperatorError, all_errors
from app.core.event import EVENT_TYPES
from app.core.failure import FailureCode, TargetError
from app.core.principal import Scope
from app.settings import Settings
from tests.house.files import ROOT

README = (ROOT / "README.md").read_text()
API = (ROOT / "docs/api.md").read_text()
TARGETS = (ROOT / "docs/adding-a-target.md").read_text()


def _rows(text: str, heading: str) -> list[list[str]]:
    """Return the cells of the tables between `heading` and the next of its kind."""
    level = heading.partition(" ")[0]
    after = text.partition(f"{heading}\n")[2]
    section = re.split(rf"^{level} ", after, maxsplit=1, flags=re.MULTILINE)[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_the_readme_lists_every_setting() -> None:
    declared = {*Settings.model_fields, *ClientSettings.model_fields}

    listed = {row[0].strip("`") for row in _rows(README, "### Settings")[2:]}

    assert listed == {f"SLIPWAY_{name.upper()}" for name in declared}


def test_the_readme_lists_every_scope() -> None:
    listed = {row[0].strip("`") for row in _rows(README, "### Keys and scopes")[2:]}

    assert listed == set(Scope)


@pytest.mark.parametrize(
    "status",
    [ExitStatus.FAILED, ExitStatus.REFUSED, ExitStatus.CANCELED, ExitStatus.TIMED_OUT],
)
def test_the_readme_tells_every_exit_status(status: ExitStatus) -> None:
    [told] = re.findall(r"end with 0 .*?\. `--json`", README, flags=re.DOTALL)

    assert re.search(rf"\b{status.value}\b", told)


def test_the_guide_lists_every_error_with_its_status() -> None:
    # Told at the command line, never over HTTP.
    operators = {OperatorError, *OperatorError.__subclasses__()}
    declared = {
        (str(status_of(kind)), f"`{kind.code}`")
        for kind in all_errors()
        if kind not in operators and _reaches_callers(kind)
    }

    listed = {(row[0], row[1]) for row in _rows(API, "## Errors") if row[0].isdecimal()}

    assert listed == declared
    assert {kind.code for kind in (AppError, TargetError)} <= {
        code.strip("`") for _, code in listed
    }


def _reaches_callers(kind: type[AppError]) -> bool:
    # Of the runner's own, and of tests', only what they import is known here.
    return kind.__module__.startswith("app.") and "runner" not in kind.__module__


def test_the_guide_lists_every_code_of_a_failed_operation() -> None:
    rows = _rows(API, "## Errors")
    after = rows.index(["code", "meaning"]) + 2

    assert [row[0].strip("`") for row in rows[after:]] == list(FailureCode)


def test_the_guide_lists_every_event_type() -> None:
    listed = [row[0].strip("`") for row in _rows(API, "## Events")[2:]]

    assert listed == list(EVENT_TYPES)


@pytest.mark.parametrize("text", [README, API, TARGETS], ids=["readme", "api", "new"])
def test_the_files_that_a_document_leads_to_exist(text: str) -> None:
    links = re.findall(r"\]\(([\w./-]+)\)", text)
    named = re.findall(r"`((?:app|docs|tests)/[\w./-]+)`", text)

    # A file that the reader is told to write does not exist yet.
    paths = [path for path in [*links, *named] if "<" not in path]
    assert [path for path in paths if not (ROOT / path).exists()] == []
