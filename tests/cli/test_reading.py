"""The verbs that change nothing."""

import json
from pathlib import Path

import pytest

from app.core.failure import FailureCode
from app.core.lifecycle import DeploymentState, OperationState
from tests.cli.running import Slipway
from tests.cli.service import PROBLEM, Answer, Service, Stream
from tests.cli.views import deployment, events, failure

PATH = "/v1/workspaces/local/deployments/diabetes"
NAMED = ("diabetes", "--workspace", "local")
SCORE = "POST /v1/deployments/dep_1/invocations"
# A cleared screen, a new window title, a turned direction of writing, a C1 control.
HOSTILE = "\x1b[2J\x1b]0;owned\x07\u202egnp.exe\x9b31m"
ACTING = set("\x1b\x07\u202e\x9b")


def test_get_shows_what_serves_and_why(service: Service, slipway: Slipway) -> None:
    service.on(f"GET {PATH}", Answer(body=deployment()))

    finished = slipway("get", *NAMED)

    assert finished.status == 0
    assert "revision 1\nmodel        models:/m/7\n" in finished.out
    assert "Serving True TrafficShifted all of it" in finished.out


def test_get_shows_the_failure_of_the_latest_operation(
    service: Service, slipway: Slipway
) -> None:
    failed = deployment(
        DeploymentState.FAILED,
        operation_state=OperationState.FAILED,
        error=failure(FailureCode.MODEL_LOAD_FAILED),
    )
    service.on(f"GET {PATH}", Answer(body=failed))

    finished = slipway("get", *NAMED)

    assert "model_load_failed" in finished.out
    assert "Add the module" in finished.out


def test_get_with_json_prints_what_the_service_sent(
    service: Service, slipway: Slipway
) -> None:
    service.on(f"GET {PATH}", Answer(body=deployment() | {"newer": 1}))

    finished = slipway("get", *NAMED, "--json")

    assert json.loads(finished.out) == deployment() | {"newer": 1}


def test_a_list_is_read_to_its_last_page(service: Service, slipway: Slipway) -> None:
    first = {"items": [deployment(name="one")], "next_cursor": "after-one"}
    last = {"items": [deployment(name="two")], "next_cursor": None}
    service.on("GET /v1/deployments", Answer(body=first), Answer(body=last))

    finished = slipway("list", "--workspace", "local")

    assert "one" in finished.out
    assert "two" in finished.out
    queries = [one.path.partition("?")[2] for one in service.requests]
    assert queries == [
        "workspace=local&limit=200",
        "workspace=local&limit=200&cursor=after-one",
    ]


def test_events_are_followed_until_the_deployment_is_deleted(
    service: Service, slipway: Slipway
) -> None:
    happened = [*events(), events()[0] | {"type": "deployment.deleted", "sequence": 5}]
    service.on(f"GET {PATH}", Answer(body=deployment()))
    service.on(
        "GET /v1/deployments/dep_1/events", Stream(events=happened, stays_open=True)
    )

    finished = slipway("events", *NAMED)

    assert finished.status == 0
    assert [line.split()[2] for line in finished.out.splitlines()] == [
        "deployment.accepted",
        "deployment.phase_changed",
        "deployment.phase_changed",
        "deployment.live",
        "deployment.deleted",
    ]


def test_events_as_json_are_one_on_each_line(
    service: Service, slipway: Slipway
) -> None:
    service.on(f"GET {PATH}", Answer(body=deployment()))
    page = {"items": events(), "next_cursor": None}
    service.on("GET /v1/deployments/dep_1/events", Answer(body=page))

    finished = slipway("events", *NAMED, "--no-follow", "--json")

    assert [json.loads(line) for line in finished.out.splitlines()] == events()


def test_a_log_is_asked_for_by_revision(service: Service, slipway: Slipway) -> None:
    service.on(f"GET {PATH}", Answer(body=deployment()))
    service.on("GET /v1/deployments/dep_1/logs", Answer(body={"lines": ["a", "b"]}))

    finished = slipway("logs", *NAMED, "--revision", "2", "--tail", "5")

    [request] = service.seen("GET /v1/deployments/dep_1/logs")
    assert finished.out == "a\nb\n"
    assert request.path.endswith("?source=model&tail=5&revision=2")


@pytest.mark.parametrize("way", ["file", "standard input"])
def test_score_sends_the_input_as_it_is(
    service: Service, slipway: Slipway, tmp_path: Path, way: str
) -> None:
    body = b'{"inputs":  [1]}'
    file = tmp_path / "input.json"
    file.write_bytes(body)
    service.on(f"GET {PATH}", Answer(body=deployment()))
    service.on(SCORE, Answer(body={"predictions": [2]}))

    if way == "file":
        finished = slipway("score", *NAMED, "--input", str(file))
    else:
        finished = slipway("score", *NAMED, stdin=body)

    [request] = service.seen(SCORE)
    assert (finished.status, request.body) == (0, body)
    assert json.loads(finished.out) == {"predictions": [2]}


def test_score_fails_when_the_model_refuses_the_input(
    service: Service, slipway: Slipway
) -> None:
    service.on(f"GET {PATH}", Answer(body=deployment()))
    service.on(SCORE, Answer(status=400, body={"message": "missing column age"}))

    finished = slipway("score", *NAMED, stdin=b"{}")

    assert finished.status == 1
    assert "missing column age" in finished.out
    assert "The model answered 400" in finished.err


def test_score_is_refused_where_nothing_serves(
    service: Service, slipway: Slipway
) -> None:
    problem = {"detail": "Nothing is serving.", "remedy": "Follow its operation."}
    service.on(f"GET {PATH}", Answer(body=deployment()))
    service.on(SCORE, Answer(status=409, body=problem, media_type=PROBLEM))

    finished = slipway("score", *NAMED, stdin=b"{}")

    assert finished.status == 2
    assert "Nothing is serving." in finished.err


def test_nothing_that_a_service_or_model_says_acts_on_the_terminal(
    service: Service, slipway: Slipway
) -> None:
    error = failure(FailureCode.MODEL_LOAD_FAILED, cause=HOSTILE)
    hostile = deployment(DeploymentState.FAILED, error=error, name=HOSTILE)
    service.on(f"GET {PATH}", Answer(body=hostile))
    service.on("GET /v1/deployments", Answer(body={"items": [hostile]}))
    service.on("GET /v1/deployments/dep_1/logs", Answer(body={"lines": [HOSTILE]}))
    service.on(SCORE, Answer(body=HOSTILE.encode(), media_type="text/plain"))
    service.on(
        "GET /v1/workspaces",
        Answer(status=403, body={"detail": HOSTILE}, media_type=PROBLEM),
    )
    verbs = [
        slipway("get", *NAMED),
        slipway("get", *NAMED, "--json"),
        slipway("list"),
        slipway("logs", *NAMED),
        slipway("score", *NAMED, stdin=b"{}"),
        slipway("workspaces", "list"),
    ]

    printed = "".join(finished.out + finished.err for finished in verbs)

    assert not ACTING & set(printed)
    assert "gnp.exe" in printed


def test_workspaces_are_listed_with_their_stores(
    service: Service, slipway: Slipway
) -> None:
    workspace = {
        "name": "local",
        "identity": {"kind": "mlflow", "tracking_uri": "sqlite:///store"},
        "projects": None,
    }
    service.on("GET /v1/workspaces", Answer(body={"items": [workspace]}))

    finished = slipway("workspaces", "list")

    assert "sqlite:///store" in finished.out
