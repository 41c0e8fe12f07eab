"""Where the client verbs find the service, and which key they send there."""

from pathlib import Path

import pytest

from tests.cli.running import KEY, Slipway
from tests.cli.service import Answer, Service

EMPTY: dict[str, object] = {"items": [], "next_cursor": None}


@pytest.fixture(autouse=True)
def lists_nothing(service: Service) -> None:
    service.on("GET /v1/deployments", Answer(body=EMPTY))


def test_a_given_key_is_sent(service: Service, slipway: Slipway) -> None:
    slipway("list")

    assert service.requests[0].headers["authorization"] == f"Bearer {KEY}"


def test_without_a_key_the_admin_key_of_the_data_directory_is_sent(
    service: Service,
    slipway: Slipway,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.delenv("SLIPWAY_API_KEY")
    (tmp_path / "admin.key").write_text("slw_admin\n")

    slipway("list")

    assert service.requests[0].headers["authorization"] == "Bearer slw_admin"


def test_without_any_key_it_is_said_where_one_is_looked_for(
    service: Service,
    slipway: Slipway,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.delenv("SLIPWAY_API_KEY")

    finished = slipway("list")

    assert finished.status == 2
    assert str(tmp_path / "admin.key") in finished.err
    assert service.requests == []


def test_the_admin_key_of_this_machine_goes_to_no_other(
    slipway: Slipway, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("SLIPWAY_API_KEY")
    monkeypatch.setenv("SLIPWAY_URL", "http://slipway.example:8080")
    (tmp_path / "admin.key").write_text("slw_admin\n")

    finished = slipway("list")

    assert finished.status == 2
    assert "SLIPWAY_API_KEY" in finished.err


def test_where_nobody_answers_it_is_said_what_starts_the_service(
    slipway: Slipway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLIPWAY_URL", "http://127.0.0.1:1")

    finished = slipway("list")

    assert finished.status == 2
    assert "slipway serve" in finished.err


@pytest.mark.parametrize(
    "url", ["", "127.0.0.1:8080", "ftp://127.0.0.1", "http://127.0.0.1:x"]
)
def test_a_wrong_address_is_told_with_a_right_one(
    slipway: Slipway, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("SLIPWAY_URL", url)

    finished = slipway("list")

    assert finished.status == 2
    assert "http://127.0.0.1:8080" in finished.err


def test_a_key_that_no_header_can_hold_is_refused_without_showing_it(
    service: Service, slipway: Slipway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLIPWAY_API_KEY", "slw_\N{SNOWMAN}")

    finished = slipway("list")

    assert finished.status == 2
    assert "\N{SNOWMAN}" not in finished.err
    assert service.requests == []


def test_proxies_of_the_environment_are_not_used(
    service: Service, slipway: Slipway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")

    finished = slipway("list")

    assert finished.status == 0
    assert len(service.requests) == 1
