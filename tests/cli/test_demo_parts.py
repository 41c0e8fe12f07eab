"""The demo's own parts: its receiver, its directory, and who is still running."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from standardwebhooks.webhooks import Webhook

from app.cli.demo_processes import Family
from app.cli.demo_receiver import Receiver, receiving
from app.cli.demo_service import own_directory
from app.core.clock import SystemClock
from app.core.webhook import new_secret

SECRET = new_secret(b"k" * 32)
BODY = json.dumps({"id": "evt_1", "type": "deployment.live", "sequence": 1})
# A process that starts another one in a session of its own, and tells its number.
DETACHING = """
import subprocess, sys
child = subprocess.Popen(
    [sys.executable, "-c", "import signal; signal.pause()"], start_new_session=True
)
print(child.pid, flush=True)
input()
"""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving(SECRET) as running:
        yield running


def _post(url: str, body: str, *, signed: str) -> int:
    now = SystemClock().now()
    headers = {
        "webhook-id": "evt_1-wh_1",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(SECRET).sign("evt_1-wh_1", now, signed),
    }
    return httpx.post(url, content=body, headers=headers).status_code


def test_a_rightly_signed_webhook_is_verified(receiver: Receiver) -> None:
    status = _post(receiver.url, BODY, signed=BODY)

    [received] = receiver.wait_for(["evt_1"], seconds=5)
    assert status == 204
    assert received.is_verified
    assert receiver.last_headers["webhook-id"] == "evt_1-wh_1"


def test_a_changed_body_is_not_verified(receiver: Receiver) -> None:
    status = _post(receiver.url, BODY.replace("live", "dead"), signed=BODY)

    [received] = receiver.wait_for(["evt_1"], seconds=5)
    assert status == 400
    assert not received.is_verified


def test_a_webhook_that_does_not_come_is_missed_in_bounded_time(
    receiver: Receiver,
) -> None:
    with pytest.raises(TimeoutError, match="1 webhooks did not come"):
        receiver.wait_for(["evt_2"], seconds=0.01)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_grandchild_is_found_after_its_parent_has_gone(tmp_path: Path) -> None:
    family = Family(tmp_path / "not-named-anywhere")
    parent = subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-c", DETACHING],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with parent:
        assert parent.stdout is not None
        grandchild = int(parent.stdout.readline())
        family.found(parent.pid)
        family.look_around()
        parent.kill()
        parent.wait()

        alive = family.alive()

        os.kill(grandchild, 9)
        assert list(alive) == [grandchild]


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_whoever_names_the_directory_belongs_to_the_family(tmp_path: Path) -> None:
    family = Family(tmp_path)
    stranger = subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-c", "input()", str(tmp_path / "file")],
        stdin=subprocess.PIPE,
    )
    with stranger:
        alive = family.alive()

        stranger.kill()
        assert list(alive) == [stranger.pid]


def test_the_directory_is_private_and_gone_afterwards() -> None:
    with own_directory() as directory:
        (directory / "file").touch()
        mode = directory.stat().st_mode & 0o777

    # As root, PostgreSQL's own account has to pass through it.
    assert mode == (0o711 if os.geteuid() == 0 else 0o700)
    assert not directory.exists()
