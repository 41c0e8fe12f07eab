"""`slipway deploy`: what it sends, what it tells, and how it ends."""

import json
from pathlib import Path

import pytest

from app.core.failure import FailureCode
from app.core.lifecycle import OperationState
from tests.cli.running import Slipway
from tests.cli.scripts import DEPLOY, PATH, accept
from tests.cli.service import PROBLEM, Answer, Service
from tests.cli.views import accepted, deployment, failure


def test_a_deploy_sends_the_whole_spec_with_the_key(
    service: Service, slipway: Slipway
) -> None:
    accept(service)

    slipway(*DEPLOY)

    [request] = service.seen(f"PUT {PATH}")
    assert request.json() == {
        "model": {"uri": "runs:/1/model"},
        "target": {"kind": "local"},
    }
    assert request.headers["authorization"] == "Bearer slw_test"


def test_a_deploy_tells_each_phase_and_where_to_score(
    service: Service, slipway: Slipway
) -> None:
    accept(service)

    finished = slipway(*DEPLOY)

    assert finished.status == 0
    assert "http://127.0.0.1:9/invocations" in finished.out
    told = [line.split() for line in finished.err.splitlines()]
    assert told == [
        ["0.0", "s", "accepted"],
        ["1.0", "s", "resolve"],
        ["2.0", "s", "deploy"],
        ["3.0", "s", "live"],
    ]


@pytest.mark.parametrize(
    ("end", "code", "status"),
    [
        (OperationState.FAILED, FailureCode.MODEL_LOAD_FAILED, 1),
        (OperationState.CANCELED, FailureCode.CANCELED, 3),
        (OperationState.FAILED, FailureCode.DEADLINE_EXCEEDED, 4),
    ],
)
def test_a_deploy_ends_as_its_operation_does(
    service: Service,
    slipway: Slipway,
    *,
    end: OperationState,
    code: FailureCode,
    status: int,
) -> None:
    accept(service, end, error=failure(code))

    finished = slipway(*DEPLOY)

    assert finished.status == status
    assert "The model could not be loaded." in finished.err
    assert "no module named nowhere" in finished.err
    assert "Add the module to the model's requirements." in finished.err
    assert "| ModuleNotFoundError: nowhere" in finished.err


def test_an_unchanged_deploy_says_so_and_follows_nothing(
    service: Service, slipway: Slipway
) -> None:
    accept(service)
    service.script[f"PUT {PATH}"] = [Answer(body=deployment())]

    finished = slipway(*DEPLOY)

    assert finished.status == 0
    assert "already is as asked" in finished.err
    assert service.seen("GET /v1/deployments/dep_1/events") == []


def test_an_unchanged_deploy_succeeds_though_an_older_change_had_failed(
    service: Service, slipway: Slipway
) -> None:
    stands = deployment(
        operation_state=OperationState.FAILED,
        error=failure(FailureCode.MODEL_LOAD_FAILED),
    )
    service.on(f"PUT {PATH}", Answer(body=stands))
    service.on("GET /v1/deployments/dep_1", Answer(body=stands))

    finished = slipway(*DEPLOY)

    assert finished.status == 0
    assert "could not be loaded" not in finished.err


def test_an_unchanged_deploy_waits_for_what_still_runs(
    service: Service, slipway: Slipway
) -> None:
    accept(service, OperationState.FAILED, error=failure(FailureCode.TARGET_FAILED))
    service.script[f"PUT {PATH}"] = [Answer(status=200, body=accepted())]

    finished = slipway(*DEPLOY)

    assert finished.status == 1


def test_a_deploy_waits_in_order_if_it_is_told_to(
    service: Service, slipway: Slipway
) -> None:
    accept(service)

    slipway(*DEPLOY, "--queue")

    assert service.seen(f"PUT {PATH}")[0].path == f"{PATH}?queue=true"


def test_without_waiting_a_deploy_only_starts(
    service: Service, slipway: Slipway
) -> None:
    accept(service)
    service.script["GET /v1/deployments/dep_1"] = [Answer(body=accepted())]

    finished = slipway(*DEPLOY, "--no-wait")

    assert finished.status == 0
    assert "pending" in finished.out
    assert service.seen("GET /v1/deployments/dep_1/events") == []


def test_with_json_nothing_else_goes_to_standard_output(
    service: Service, slipway: Slipway
) -> None:
    accept(service)

    finished = slipway(*DEPLOY, "--json")

    assert json.loads(finished.out) == deployment()


def test_a_file_is_sent_with_the_options_put_over_it(
    service: Service, slipway: Slipway, tmp_path: Path
) -> None:
    accept(service)
    file = tmp_path / "spec.json"
    file.write_text(
        '{"model": {"uri": "runs:/0/model", "register_as": "m"}, "tags": {"a": "b"}}'
    )

    slipway(*DEPLOY, "-f", str(file))

    [request] = service.seen(f"PUT {PATH}")
    assert request.json() == {
        "model": {"uri": "runs:/1/model", "register_as": "m"},
        "tags": {"a": "b"},
        "target": {"kind": "local"},
    }


@pytest.mark.parametrize("stdin", [b"", b"[]", b"{", b"{}"], ids=repr)
def test_a_wrong_file_is_refused_before_anything_is_sent(
    service: Service, slipway: Slipway, stdin: bytes
) -> None:
    finished = slipway("deploy", "diabetes", "-w", "local", "-f", "-", stdin=stdin)

    assert finished.status == 2
    assert service.requests == []


def test_a_name_cannot_lead_to_another_path(service: Service, slipway: Slipway) -> None:
    slipway("get", "../../../keys?x=", "--workspace", "local")

    [request] = service.requests
    assert request.path == "/v1/workspaces/local/deployments/..%2F..%2F..%2Fkeys%3Fx%3D"


def test_a_refusal_is_told_with_its_remedy_and_request_id(
    service: Service, slipway: Slipway
) -> None:
    problem = {
        "detail": "One or more fields are wrong.",
        "code": "invalid_request",
        "remedy": "Correct the fields.",
        "request_id": "req_1",
        "errors": [{"pointer": "/model/uri", "code": "x", "detail": "is no URI"}],
        "links": {},
    }
    service.on(f"PUT {PATH}", Answer(status=422, body=problem, media_type=PROBLEM))

    finished = slipway(*DEPLOY)

    assert finished.status == 2
    assert finished.out == ""
    assert finished.err.splitlines() == [
        "slipway: One or more fields are wrong.",
        "         Correct the fields.",
        "         /model/uri: is no URI",
        "         request req_1, code invalid_request",
    ]


def test_a_fault_of_the_service_is_no_wrong_usage(
    service: Service, slipway: Slipway
) -> None:
    service.on(
        f"PUT {PATH}", Answer(status=500, body=b"<html>", media_type="text/html")
    )

    finished = slipway(*DEPLOY)

    assert finished.status == 1
    assert "500" in finished.err


def test_what_does_not_speak_the_contract_is_said_to_be_no_slipway(
    service: Service, slipway: Slipway
) -> None:
    service.on(f"PUT {PATH}", Answer(body=b"<html>", media_type="text/html"))

    finished = slipway(*DEPLOY)

    assert finished.status == 2
    assert "SLIPWAY_URL" in finished.err
