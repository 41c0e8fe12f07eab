"""The search language of the simulated MLflow server."""

import pytest

from app.simulator.errors import AzureError
from app.simulator.mlflow_fields import Fields, page
from app.simulator.mlflow_filter import Value, matches, ordered

_RECORD: dict[str, Value] = {
    "name": "ridge-a",
    "version_number": 3.0,
    "tags.team": "research",
    "metrics.score": 0.5,
}


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("", True),
        ("name = 'ridge-a'", True),
        ('name = "ridge-a"', True),
        ("name != 'ridge-a'", False),
        ("name LIKE 'ridge%'", True),
        ("name LIKE 'RIDGE%'", False),
        ("name ILIKE 'RIDGE%'", True),
        ("name IN ('x', 'ridge-a')", True),
        ("version_number >= 3", True),
        ("version_number < 3", False),
        ("metrics.score > 0.4 and tags.team = 'research'", True),
        ("metrics.score > 0.4 AND tags.`team` = 'other'", False),
        ("tags.nobody = 'x'", False),
    ],
)
def test_a_filter_wants_what_it_says(text: str, *, holds: bool) -> None:
    assert matches(text, _RECORD.get) is holds


@pytest.mark.parametrize(
    "text", ["name", "name = ", "name = 'a' or name = 'b'", "score > 'high'; x"]
)
def test_an_unreadable_filter_is_refused(text: str) -> None:
    with pytest.raises(AzureError) as error:
        matches(text, _RECORD.get)

    assert (error.value.status, error.value.code) == (400, "INVALID_PARAMETER_VALUE")


def test_the_first_clause_of_an_order_counts_most() -> None:
    records: list[dict[str, Value]] = [
        {"name": "b", "version": 1},
        {"name": "a", "version": 2},
        {"name": "a", "version": 10},
    ]

    found = ordered(
        records, ["name ASC", "version DESC"], lambda one, key: one.get(key)
    )

    assert [(one["name"], one["version"]) for one in found] == [
        ("a", 10),
        ("a", 2),
        ("b", 1),
    ]


def test_pages_hold_everything_once_and_in_order() -> None:
    records: list[dict[str, object]] = [{"number": number} for number in range(5)]
    seen, token = [], ""
    while True:
        fields = Fields({"max_results": 2, "page_token": token})
        answer = page(records, fields, name="records", default=100)
        listed = answer["records"]
        assert isinstance(listed, list)
        seen += listed
        token = str(answer.get("next_page_token", ""))
        if not token:
            break

    assert seen == records


@pytest.mark.parametrize("values", [{"max_results": "x"}, {"page_token": "-1"}])
def test_an_unreadable_page_is_refused(values: dict[str, object]) -> None:
    with pytest.raises(AzureError):
        page([], Fields(values), name="records", default=100)
