"""Following an operation: over lost connections, silence and impatience."""

import json

from app.core.failure import FailureCode
from app.core.lifecycle import OperationState
from tests.cli.running import Slipway
from tests.cli.scripts import DEPLOY, accept
from tests.cli.service import Answer, Service, Stream
from tests.cli.views import events, failure, operation


def test_a_lost_connection_is_made_again_from_the_last_event_on(
    service: Service, slipway: Slipway
) -> None:
    accept(service)
    service.script["GET /v1/deployments/dep_1/events"] = [
        Stream(events=events()[:2]),
        Stream(events=events()),
    ]

    finished = slipway(*DEPLOY)

    assert finished.status == 0
    assert finished.err.count(" resolve") == 1
    streams = service.seen("GET /v1/deployments/dep_1/events")
    assert [one.headers["last-event-id"] for one in streams] == ["0", "2"]


def test_a_service_that_drains_is_asked_again(
    service: Service, slipway: Slipway
) -> None:
    accept(service)
    service.on(
        "GET /v1/operations/op_1", Answer(body=operation(OperationState.RUNNING))
    )
    service.script["GET /v1/deployments/dep_1/events"].insert(0, Answer(status=503))

    finished = slipway(*DEPLOY)

    assert finished.status == 0


def test_an_end_that_no_event_told_is_seen_by_looking(
    service: Service, slipway: Slipway
) -> None:
    accept(service)
    silent = Stream(events=events()[:1], keeps_alive=True, stays_open=True)
    service.script["GET /v1/deployments/dep_1/events"] = [silent]
    service.on(
        "GET /v1/operations/op_1", Answer(body=operation(OperationState.SUCCEEDED))
    )

    finished = slipway(*DEPLOY)

    assert finished.status == 0


def test_what_is_no_event_of_a_stream_hides_none(
    service: Service, slipway: Slipway
) -> None:
    accept(service)
    service.on(
        "GET /v1/operations/op_1", Answer(body=operation(OperationState.SUCCEEDED))
    )

    finished = slipway(*DEPLOY)

    assert " resolve" in finished.err
    assert service.seen("GET /v1/operations/op_1") == []


def test_events_of_other_operations_are_not_told(
    service: Service, slipway: Slipway
) -> None:
    accept(service)
    failed = events(OperationState.FAILED, error=failure(FailureCode.TARGET_FAILED))
    older = json.loads(json.dumps(failed).replace("op_1", "op_0"))
    newer = [event | {"sequence": event["sequence"] + 4} for event in events()]
    service.script["GET /v1/deployments/dep_1/events"] = [
        Stream(events=[*older, *newer])
    ]

    finished = slipway(*DEPLOY)

    assert finished.status == 0
    assert finished.err.count("resolve") == 1


def test_not_followed_longer_than_asked_the_operation_goes_on(
    service: Service, slipway: Slipway
) -> None:
    accept(service)
    unfinished = events(OperationState.RUNNING)
    service.script["GET /v1/deployments/dep_1/events"] = [
        Stream(events=unfinished, stays_open=True)
    ]
    service.on(
        "GET /v1/operations/op_1", Answer(body=operation(OperationState.RUNNING))
    )

    finished = slipway(*DEPLOY, "--timeout", "0.3")

    assert finished.status == 4
    assert "op_1" in finished.err
    assert "slipway cancel" in finished.err
