"""The command line, run in this process against a small real service."""

import io
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.cli.root import main
from tests.cli.running import KEY, Finished, Slipway
from tests.cli.service import Service, serving


@pytest.fixture
def service() -> Iterator[Service]:
    with serving() as running:
        yield running


@pytest.fixture
def slipway(
    service: Service,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> Slipway:
    """Return what runs a command with the service's URL and a key."""
    monkeypatch.setenv("SLIPWAY_URL", service.url)
    monkeypatch.setenv("SLIPWAY_API_KEY", KEY)
    monkeypatch.setenv("SLIPWAY_DATA_DIR", str(tmp_path))
    # Wide and without color, whatever terminal the tests are run from.
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.delenv("FORCE_COLOR", raising=False)

    def run(*arguments: str, stdin: bytes = b"") -> Finished:
        monkeypatch.setattr(sys, "argv", ["slipway", *arguments])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        status = 0
        try:
            main()
        except SystemExit as end:
            status = int(end.code or 0)
        captured = capsys.readouterr()
        return Finished(status=status, out=captured.out, err=captured.err)

    return run
