"""What every target owes the runner, whatever it is: docs/adding-a-target.md."""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest
import pytest_asyncio

from app.core.clock import SystemClock
from app.core.errors import NotFoundError
from app.core.failure import Failure, TargetError
from app.core.lease import LeaseLostError
from app.core.target import (
    Handle,
    Invocation,
    Observation,
    ObservedPhase,
    SupportsInvoke,
    SupportsLogs,
)
from app.core.workspace import Workspace
from app.settings import Settings
from app.targets import registry
from tests.contract.places import HOSTILE, SECRET, Place, every_place
from tests.fakes import FakeLease
from tests.support import eventually
from tests.targets.leases import LostLease

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

_KINDS = ("local", "aci", "aks")
_SECONDS = 30.0


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def places(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Mapping[str, Place]]:
    directory = tmp_path_factory.mktemp("contract")
    with pytest.MonkeyPatch.context() as environment:
        async with every_place(directory, environment) as opened:
            yield opened


@pytest_asyncio.fixture(params=_KINDS, loop_scope="module")
async def place(request: pytest.FixtureRequest, places: Mapping[str, Place]) -> Place:
    return places[request.param]


async def test_every_target_of_the_registry_is_held_to_the_contract(
    tmp_path: Path,
) -> None:
    async def no_workspace(workspace_id: str) -> Workspace:
        raise NotFoundError(f"There is no workspace {workspace_id}.")

    async with registry.opened(
        Settings(data_dir=tmp_path, local_enabled=True),
        clock=SystemClock(),
        find_workspace=no_workspace,
    ) as opened:
        assert set(opened.targets) == set(_KINDS)


async def test_a_revision_gets_ready_and_answers(place: Place) -> None:
    handle = await _up(place, "ready")

    assert isinstance(place.target, SupportsInvoke)
    assert isinstance(place.target, SupportsLogs)
    answer = await place.target.invoke(handle, Invocation(body=b'{"inputs": [[1]]}'))
    assert answer.status == 200
    source = place.target.log_sources[0]
    assert await place.target.logs(handle, source=source, tail=5)


async def test_applying_again_makes_nothing_new(place: Place) -> None:
    handle = await _up(place, "again")
    before = place.standing()

    again = await place.target.apply(place.request("again"), FakeLease())

    assert again == handle
    assert place.standing() == before
    assert place.made("again") == 1


async def test_a_crash_before_the_handle_was_kept_makes_nothing_new(
    place: Place,
) -> None:
    first = await place.target.apply(place.request("crashed"), FakeLease())

    await place.lose_worker()
    handle = await place.target.apply(place.request("crashed"), FakeLease())

    seen = await _settled(place, handle)
    assert handle == first
    assert seen.phase is ObservedPhase.READY
    assert place.made("crashed") == 1


async def test_observing_changes_nothing(place: Place) -> None:
    handle = await _up(place, "observed")
    before = place.standing()

    seen = [await place.target.observe(handle) for _ in range(3)]

    assert {one.phase for one in seen} == {ObservedPhase.READY}
    assert place.standing() == before


async def test_what_never_was_is_missing(place: Place) -> None:
    before = place.standing()

    seen = await place.target.observe(place.handle("never", deployment="dep_never"))

    assert seen.phase is ObservedPhase.MISSING
    assert place.standing() == before


async def test_deleting_twice_succeeds_twice(place: Place) -> None:
    before = place.standing()
    handle = await _up(place, "deleted")

    await place.target.delete(handle, FakeLease())
    await place.target.delete(handle, FakeLease())

    assert (await place.target.observe(handle)).phase is ObservedPhase.MISSING
    assert place.standing() == before


async def test_a_delete_takes_nothing_with_anothers_mark(place: Place) -> None:
    handle = await _up(place, "marked")
    before = place.standing()

    foreign = place.handle("marked", deployment="dep_somebody-elses")
    await place.target.delete(foreign, FakeLease())

    assert place.standing() == before
    assert (await place.target.observe(handle)).phase is ObservedPhase.READY


async def test_without_a_lease_nothing_is_written(place: Place) -> None:
    handle = await _up(place, "leased")
    before = place.standing()

    with pytest.raises(LeaseLostError):
        await place.target.apply(place.request("unleased"), LostLease())
    with pytest.raises(LeaseLostError):
        await place.target.delete(handle, LostLease())

    assert place.standing() == before
    assert place.made("unleased") == 0


async def test_a_revision_that_never_gets_up_is_told_with_a_remedy(
    place: Place,
) -> None:
    broken = place.request("broken", breaks=True)
    handle = await place.target.apply(broken, FakeLease())

    seen = await _settled(place, handle)

    assert seen.phase is ObservedPhase.FAILED
    assert seen.failure is not None
    _check(seen.failure)
    assert seen.failure.evidence.log_tail


async def test_a_hostile_answer_ends_in_a_truthful_failure(place: Place) -> None:
    handle = await _up(place, "hostile")
    place.turn_hostile("hostile")

    with pytest.raises(TargetError) as refused:
        await place.target.invoke(handle, Invocation(body=HOSTILE))

    _check(refused.value.failure)


async def _up(place: Place, name: str) -> Handle:
    """Bring a deployment up and return its handle."""
    handle: Handle = await place.target.apply(place.request(name), FakeLease())
    seen = await _settled(place, handle)
    assert seen.phase is ObservedPhase.READY, seen
    return handle


async def _settled(place: Place, handle: Handle) -> Observation:
    """Return the first look that does not find it starting."""

    async def look() -> Observation | None:
        seen: Observation = await place.target.observe(handle)
        return None if seen.phase is ObservedPhase.STARTING else seen

    seen = await eventually(look, within_seconds=_SECONDS)
    assert seen is not None
    return seen


def _check(failure: Failure) -> None:
    """Every failure says what happened and what to do, and holds no secret."""
    assert failure.message
    assert failure.remedy
    assert SECRET not in repr(failure)
