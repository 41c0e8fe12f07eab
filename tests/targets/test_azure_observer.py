"""One list of services for all who wait, and no more than that."""

import asyncio
import itertools
import time
from collections.abc import Callable

import httpx
import pytest
from typing_extensions import override

from app.core.failure import FailureCode, TargetError
from app.targets.azure_observer import AzureObserver, opened
from app.targets.azure_poller import Intervals
from app.targets.azure_round import ServiceLook
from tests.targets.azure import FakeAzure, FakeClock, somewhere
from tests.targets.azure_management import (
    FakeModelManagement,
    housed,
    in_flight,
    service,
    settled,
)


async def test_everybody_who_waits_is_told_from_one_list() -> None:
    house = housed(settled(50))

    looks = await asyncio.gather(*(house.look(f"svc-{n}") for n in range(50)))

    assert [look.service and look.service["name"] for look in looks] == [
        f"svc-{n}" for n in range(50)
    ]
    assert house.azure.lists == 1


async def test_an_operation_that_has_ended_is_asked_for_once() -> None:
    house = housed(settled(1))

    for _ in range(4):
        look = await house.look("svc-0")

    assert look.operation == {"state": "Succeeded"}
    assert house.azure.looks == ["operations/op-svc-0"]
    assert house.azure.lists == 4


async def test_the_operation_of_a_later_change_is_looked_at_anew() -> None:
    house = housed(settled(1))
    await house.look("svc-0")

    house.azure.services = [service("svc-0", operation="services/operations/op-2")]
    house.azure.operations["op-2"] = {"state": "Running"}
    look = await house.look("svc-0")

    assert look.operation == {"state": "Running"}


async def test_many_in_flight_do_not_mean_many_calls() -> None:
    house = housed(in_flight(500))

    looks = await asyncio.gather(*(house.look(f"svc-{n}") for n in range(500)))

    assert len(looks) == 500
    assert all(look.service for look in looks)
    assert house.azure.lists == 1
    assert len(house.azure.looks) <= 20


async def test_by_and_by_every_operation_in_flight_is_looked_at() -> None:
    house = housed(in_flight(100))

    for _ in range(5):
        looks = await asyncio.gather(*(house.look(f"svc-{n}") for n in range(100)))

    assert all(look.operation == {"state": "Running"} for look in looks)


async def test_whoever_shows_an_end_is_looked_at_first() -> None:
    azure = in_flight(100)
    azure.services[99] = service("svc-99", state="Failed")
    azure.operations["op-svc-99"] = {"state": "Failed", "error": {"code": "X"}}
    house = housed(azure)

    looks = await asyncio.gather(*(house.look(f"svc-{n}") for n in range(100)))

    assert looks[99].operation == azure.operations["op-svc-99"]


async def test_what_the_list_has_missed_is_asked_for_by_its_name() -> None:
    hidden = service("late")
    azure = FakeModelManagement(
        hidden={"late": hidden}, operations={"op-late": {"state": "Succeeded"}}
    )
    house = housed(azure)

    late, gone = await asyncio.gather(house.look("late"), house.look("gone"))

    assert late.service == hidden
    assert late.operation == {"state": "Succeeded"}
    assert gone.service is None
    assert gone.operation is None


@pytest.mark.parametrize(
    "odd", [None, 7, "text", [], {}, {"name": None}, {"name": 5}, {"state": "Healthy"}]
)
async def test_one_that_cannot_be_read_never_breaks_the_list(odd: object) -> None:
    azure = settled(1)
    azure.services.insert(0, odd)
    house = housed(azure)

    assert (await house.look("svc-0")).service == service("svc-0")


@pytest.mark.parametrize("field_name", ["state", "operationId", "kvTags"])
async def test_a_service_without_a_field_is_still_told(field_name: str) -> None:
    azure = settled(1)
    azure.services[0][field_name] = None

    look = await housed(azure).look("svc-0")

    assert look.service == azure.services[0]


async def test_what_stays_the_same_is_looked_at_less_and_less_often() -> None:
    house = housed(settled(1))
    moments = []
    for _ in range(60):
        await house.look("svc-0")
        moments.append(house.clock.monotonic())

    pauses = [after - before for before, after in itertools.pairwise(moments)]
    assert pauses[0] == pytest.approx(2.0)
    assert max(pauses) == pytest.approx(15.0)


async def test_a_change_brings_the_shortest_interval_back() -> None:
    house = housed(settled(1))
    for _ in range(60):
        await house.look("svc-0")

    house.azure.services = [service("svc-0", state="Unhealthy")]
    await house.look("svc-0")
    changed_at = house.clock.monotonic()
    await house.look("svc-0")

    assert house.clock.monotonic() - changed_at == pytest.approx(2.0)


async def test_a_429_is_waited_out_and_everybody_is_told_then() -> None:
    azure = settled(2)
    azure.spoilt = [httpx.Response(429, headers={"retry-after": "9"}, json={})]
    house = housed(azure)
    began = house.clock.monotonic()

    looks = await asyncio.gather(house.look("svc-0"), house.look("svc-1"))

    assert all(look.service for look in looks)
    assert house.clock.monotonic() - began >= 9.0


async def test_a_refused_list_is_told_to_everybody_and_the_next_one_is_tried() -> None:
    azure = settled(2)
    azure.spoilt = [httpx.Response(403, json={"code": "AuthorizationFailed"})]
    house = housed(azure)

    told = await asyncio.gather(
        house.look("svc-0"), house.look("svc-1"), return_exceptions=True
    )

    assert all(isinstance(error, TargetError) for error in told)
    assert told[0] is not told[1]
    codes = {error.failure.code for error in told if isinstance(error, TargetError)}
    assert codes == {FailureCode.PERMISSION_DENIED}
    assert (await house.look("svc-0")).service


async def test_an_operation_that_cannot_be_had_is_told_to_its_own_alone() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/operations/op-svc-1"):
            return httpx.Response(403, json={})
        return azure.answer(request)

    azure = settled(2)
    clock = FakeClock()
    observer = AzureObserver(FakeAzure(answer).rest(clock=clock), clock=clock)

    fine, broken = await asyncio.gather(
        observer.look(somewhere(), "svc-0"),
        observer.look(somewhere(), "svc-1"),
        return_exceptions=True,
    )

    assert isinstance(fine, ServiceLook)
    assert isinstance(broken, TargetError)


async def test_who_no_longer_waits_holds_nobody_up() -> None:
    house = housed(settled(2))
    left = asyncio.create_task(house.look("svc-0"))
    await asyncio.sleep(0)
    left.cancel()

    assert (await house.look("svc-1")).service
    assert left.cancelled()


async def test_when_the_worker_ends_nobody_waits_on() -> None:
    block = asyncio.Event()

    class FrozenClock(FakeClock):
        @override
        async def sleep(self, seconds: float) -> None:
            await block.wait()
            await super().sleep(seconds)

    clock = FrozenClock()
    rest = FakeAzure(settled(1).answer).rest(clock=clock)
    async with opened(rest, clock=clock) as observer:
        waiting = asyncio.create_task(observer.look(somewhere(), "svc-0"))
        await asyncio.sleep(0)

    with pytest.raises(TargetError):
        await waiting


async def test_two_workspaces_are_polled_apart() -> None:
    houses: dict[str, Callable[[httpx.Request], httpx.Response]] = {
        "Bearer token-0-of-one": settled(1).answer,
        "Bearer token-0-of-two": FakeModelManagement().answer,
    }
    clock = FakeClock()
    azure = FakeAzure(lambda asked: houses[asked.headers["authorization"]](asked))
    observer = AzureObserver(azure.rest(clock=clock), clock=clock)

    one, two = await asyncio.gather(
        *(observer.look(somewhere(credential=name), "svc-0") for name in ("one", "two"))
    )

    assert one.service is not None
    assert two.service is None


async def test_a_thousand_services_are_cheap() -> None:
    house = housed(settled(1000))
    house.azure.operations.clear()
    await house.look("svc-0")
    house.observer = AzureObserver(
        FakeAzure(house.azure.answer).rest(clock=house.clock),
        clock=house.clock,
        intervals=Intervals(shortest_seconds=0.01),
    )

    began = time.process_time()
    for _ in range(5):
        await asyncio.gather(*(house.look(f"svc-{n}") for n in range(1000)))

    assert time.process_time() - began < 5.0
    assert house.azure.lists == 6
