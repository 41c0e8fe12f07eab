"""The documentation has every fault that the code has, in the code's own words."""

from app.simulator import fault_table
from app.simulator.settings import LATENCIES
from tests.house.files import ROOT

_DOCUMENT = ROOT / "docs/simulator.md"


def test_the_fault_tables_are_those_of_the_code() -> None:
    """After a change of the code, paste what `fault_table.markdown()` returns."""
    text = _DOCUMENT.read_text(encoding="utf-8")
    written = text.partition("<!-- faults -->\n")[2].partition("<!-- end -->")[0]

    assert written.strip() == fault_table.markdown().strip()


def test_every_latency_is_documented_with_its_default() -> None:
    text = _DOCUMENT.read_text(encoding="utf-8")

    missing = [
        name
        for name, seconds in LATENCIES.items()
        if f"| `{name}` | {seconds:g} |" not in text
    ]
    assert missing == []


def test_no_two_faults_have_one_name() -> None:
    rows = [
        line for line in fault_table.markdown().splitlines() if line.startswith("| `")
    ]

    assert len(rows) == len(fault_table.kinds())


def test_no_cell_of_the_table_breaks_it() -> None:
    rows = [
        line for line in fault_table.markdown().splitlines() if line.startswith("| `")
    ]

    assert {row.count("|") for row in rows} == {5}
