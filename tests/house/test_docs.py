"""Decisions stay short, findable and true to the code that they name."""

import re
from pathlib import Path

import pytest

from tests.house.files import ROOT

RECORDS = sorted((ROOT / "docs/decisions").glob("[0-9]*.md"))
SECTIONS = ["Context", "Decision", "Consequences", "Alternatives", "Code"]
MAX_LINES = 50


def test_the_records_are_numbered_without_a_gap() -> None:
    numbers = [int(record.name.partition("-")[0]) for record in RECORDS]

    assert numbers == list(range(1, len(RECORDS) + 1))


def test_the_index_lists_every_record() -> None:
    index = (ROOT / "docs/decisions/README.md").read_text()

    assert [one.name for one in RECORDS if f"({one.name})" not in index] == []


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.stem)
def test_a_record_is_short_and_has_its_parts(record: Path) -> None:
    text = record.read_text()

    assert len(text.splitlines()) <= MAX_LINES
    assert re.findall(r"^## (.+)$", text, flags=re.MULTILINE) == SECTIONS


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.stem)
def test_a_decision_is_one_sentence_that_can_be_quoted(record: Path) -> None:
    decision = _section(record, "Decision")

    assert re.fullmatch(r"\*\*[^*]+\.\*\*", decision)


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.stem)
def test_the_code_that_a_record_names_exists(record: Path) -> None:
    # What is decided and not built yet stands after these words.
    built = re.sub(r"To come.*", "", _section(record, "Code"), flags=re.DOTALL)

    named = re.findall(r"`([\w./-]+)`", built)
    assert [path for path in named if not (ROOT / path).exists()] == []


def _section(record: Path, name: str) -> str:
    after = record.read_text().partition(f"## {name}\n")[2]
    return after.partition("\n## ")[0].strip()
