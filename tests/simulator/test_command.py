"""`slipway simulator`: what it prints, what it refuses, and how it ends."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from app.cli.root import build
from app.core.errors import OperatorError
from app.simulator.world import CLIENT_ID


@contextmanager
def _started(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "app", "simulator", "--port", "0", *arguments]
    with subprocess.Popen(  # noqa: S603  # our own module
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def _exports(process: subprocess.Popen[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    assert process.stdout is not None
    for line in process.stdout:
        if exported := re.match(r" +export (\w+)=(.*)", line):
            found[exported.group(1)] = exported.group(2)
        if "MLFLOW_DISABLE_TELEMETRY" in found:
            return found
    raise AssertionError("it ended without printing its environment")


def test_it_prints_what_leads_to_it_and_ends_well_when_told(tmp_path: Path) -> None:
    ca_file = tmp_path / "ca.pem"

    with _started("--speed", "60", "--ca-file", str(ca_file)) as process:
        exports = _exports(process)
        answer = httpx.get(f"{exports['HTTPS_PROXY']}/control/", trust_env=False)
        process.send_signal(signal.SIGTERM)
        status = process.wait(timeout=20)

    assert exports["AZURE_CLIENT_ID"] == CLIENT_ID
    assert exports["NO_PROXY"] == "''"
    assert exports["SSL_CERT_FILE"] == exports["REQUESTS_CA_BUNDLE"] == str(ca_file)
    assert ca_file.read_text().count("BEGIN CERTIFICATE") == 1
    assert answer.json()["speed"] == 60
    assert status == os.EX_OK


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--host", "0.0.0.0"], "no control token"),  # noqa: S104
        (["--latency", "image-build"], "not a step"),
        (["--latency", "nothing=3"], "not a step"),
        (["--latency", "image-build=-1"], "not a step"),
        (["--ca-file", "/nowhere/at/all.pem"], "Cannot start"),
    ],
)
def test_what_it_cannot_do_is_said_with_a_remedy(
    arguments: list[str], word: str
) -> None:
    result = CliRunner().invoke(build(), ["simulator", "--port", "0", *arguments])

    assert isinstance(result.exception, OperatorError)
    assert word in result.exception.detail
    assert result.exception.advice


def test_a_port_in_use_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        result = CliRunner().invoke(build(), ["simulator", "--port", port])

    assert isinstance(result.exception, OperatorError)
    assert port in result.exception.detail
