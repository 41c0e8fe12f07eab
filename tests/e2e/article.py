"""The article as it was played: once for a run of tests, however many there are."""

import asyncio
import fcntl
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.playing import play
from tests.guard import clean


@dataclass(frozen=True, kw_only=True)
class Played:
    """What became of it, as plain data, so that processes of a test run share it.

    `run` is the run's id; `answers` are by the step's name, each with `status`,
    `headers` and `body`; `azure` is what stood there while both services were live;
    `requests` is all that Azure was asked, bodies included.
    """

    run: str
    answers: dict[str, Any] = field(repr=False)
    azure: dict[str, Any]
    requests: list[dict[str, Any]] = field(repr=False)
    unexpected_hosts: dict[str, int]

    def status(self, step: str) -> int:
        return int(self.answers[step]["status"])

    def body(self, step: str) -> Any:  # noqa: ANN401
        return self.answers[step]["body"]

    def created(self, service: str) -> Any:  # noqa: ANN401
        """Return the one body with which azureml-core had the service created."""
        (found,) = [
            json.loads(each["body"])
            for each in self.sent("POST", "/services")
            if json.loads(each["body"])["name"] == service
        ]
        return found

    def sent(self, method: str, ending: str) -> list[dict[str, Any]]:
        """Return the requests to Azure with this method whose path ends so."""
        return [
            each
            for each in self.requests
            if each["method"] == method and each["path"].endswith(ending)
        ]


def played(factory: pytest.TempPathFactory, servers: Path) -> Played:
    """Return the article as it was played once for all tests of this run."""
    base = factory.getbasetemp()
    # Under xdist each worker has a directory of its own beside those of the others.
    shared = base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base
    told = shared / "article.json"
    with (shared / "article.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not told.exists():
            told.write_text(json.dumps(_play_in(servers / "article")))
    return Played(**json.loads(told.read_text()))


def _play_in(directory: Path) -> dict[str, Any]:
    directory.mkdir()
    directory.chmod(0o711)
    try:
        return asyncio.run(play(directory))
    finally:
        clean(directory)
