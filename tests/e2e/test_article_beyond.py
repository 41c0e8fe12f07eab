"""What goes beyond the notebook, and that docs/article.md names a test in each row."""

import re
from pathlib import Path

import pytest

from tests.e2e.article import Played
from tests.house.files import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

_PAGE = ROOT / "docs/article.md"
_COMPARISON = "test_every_row_of_the_page_names_a_test_of_its_own"


def test_every_row_of_the_page_names_a_test_of_its_own() -> None:
    rows = [line for line in _PAGE.read_text().splitlines() if line.startswith("|")]
    named = {name for row in rows for name in re.findall(r"`(test_\w+)` \|$", row)}
    bodies = [row for row in rows if not row.startswith(("| In the", "| Beyond", "|-"))]
    sources = [
        one.read_text() for one in Path(__file__).parent.glob("test_article*.py")
    ]
    tests = {
        name
        for text in sources
        for name in re.findall(r"^def (test_\w+)", text, re.MULTILINE)
    }

    assert [row for row in bodies if not re.search(r"`test_\w+` \|$", row)] == []
    assert named == tests - {_COMPARISON}


def test_what_serves_is_listed_with_its_models(article: Played) -> None:
    listed = article.body("services")["items"]
    (revision,) = article.body("aci revisions")["items"]

    assert {(one["name"], one["managed_by"]) for one in listed} == {
        ("diabetes-model-1", "slipway"),
        ("my-aks", "slipway"),
    }
    assert revision["model"]["uri"] == "models:/sklearn-model/1"


def test_collecting_data_is_told_to_be_retired(article: Played) -> None:
    (finding,) = article.body("data drift")["findings"]

    assert finding["code"] == "collect_model_data_retired"
    assert finding["severity"] == "warning"
    assert "online endpoint" in finding["remedy"]


@pytest.mark.parametrize("service", ["aci", "aks"])
def test_a_key_is_asked_for(article: Played, service: str) -> None:
    assert article.status(f"{service} without a key") == 401
    assert article.status(f"{service} with a key") == 200


@pytest.mark.parametrize("service", ["aci", "aks"])
def test_slipway_scores_without_a_key_of_azure(article: Played, service: str) -> None:
    assert article.status(f"{service} scored") == 200
    assert len(article.body(f"{service} scored")["predictions"]) == 1


def test_the_same_request_again_changes_nothing(article: Played) -> None:
    again = article.body("aci again")

    assert article.status("aci again") == 200
    assert again["wanted_revision"] == 1
    assert again["latest_operation"] == article.body("aci")["latest_operation"]


@pytest.mark.parametrize("step", ["aci", "aci live", "aks", "aks live"])
def test_answers_say_that_azure_calls_it_legacy(article: Played, step: str) -> None:
    headers = article.answers[step]["headers"]

    assert headers["deprecation"].startswith("@")
    assert 'rel="successor-version"' in headers["link"]


def test_no_host_but_azure_s_is_called(article: Played) -> None:
    assert article.unexpected_hosts == {}
    assert article.requests != []
