"""`slipway doctor`: how a workspace fares, and an exit status for pipelines."""

import json
from typing import Any

import pytest

from app.core.azure_view import CheckName, CheckStatus
from tests.cli.running import Slipway
from tests.cli.service import Answer, Service

DOCTOR = ("doctor", "--workspace", "prod")
PATH = "POST /v1/workspaces/prod/check"


def checks(**statuses: CheckStatus) -> dict[str, Any]:
    """What the service answers: all is well but what `statuses` names."""
    found = [
        {
            "name": name,
            "status": statuses.get(name, CheckStatus.OK),
            "detail": f"{name} was looked at",
            "remedy": f"mend {name}" if name in statuses else None,
        }
        for name in CheckName
    ]
    ok = CheckStatus.FAILED not in statuses.values()
    return {"workspace": "prod", "ok": ok, "checks": found}


def test_a_sound_workspace_ends_well(service: Service, slipway: Slipway) -> None:
    service.on(PATH, Answer(body=checks()))

    finished = slipway(*DOCTOR)

    assert finished.status == 0
    lines = finished.out.splitlines()
    assert lines[0] == "ok        sign_in              sign_in was looked at"
    assert len(lines) == len(CheckName) + 1
    assert lines[-1] == "The workspace prod can be deployed to."


def test_what_failed_is_told_with_its_remedy(
    service: Service, slipway: Slipway
) -> None:
    body = checks(permissions=CheckStatus.FAILED, quota=CheckStatus.WARNING)
    service.on(PATH, Answer(body=body))

    finished = slipway(*DOCTOR)

    assert finished.status == 1
    assert "failed    permissions" in finished.out
    assert "mend permissions" in finished.out
    assert finished.out.splitlines()[-1] == (
        "The workspace prod cannot be deployed to: 1 failed."
    )


@pytest.mark.parametrize(
    ("status", "last"),
    [
        (CheckStatus.WARNING, "can be deployed to, with 7 to look at."),
        (CheckStatus.SKIPPED, "is not one of Azure: there was nothing to check."),
    ],
)
def test_what_did_not_fail_is_no_failure(
    service: Service, slipway: Slipway, status: CheckStatus, last: str
) -> None:
    service.on(PATH, Answer(body=checks(**dict.fromkeys(map(str, CheckName), status))))

    finished = slipway(*DOCTOR)

    assert finished.status == 0
    assert finished.out.splitlines()[-1] == f"The workspace prod {last}"


def test_json_is_what_the_service_sent(service: Service, slipway: Slipway) -> None:
    body = checks(sign_in=CheckStatus.FAILED)
    service.on(PATH, Answer(body=body))

    finished = slipway(*DOCTOR, "--json")

    assert finished.status == 1
    assert json.loads(finished.out) == body
