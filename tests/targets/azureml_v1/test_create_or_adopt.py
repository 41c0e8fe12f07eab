"""What `apply` and `delete` do with whatever stands under the name at Azure."""

from dataclasses import replace

import pytest

from app.core.aci_options import AciOptions
from app.core.failure import FailureCode, TargetError
from app.core.lease import LeaseLostError
from app.core.target import Handle, ObservedPhase
from app.simulator.service_documents import section
from app.simulator.services import ServiceBook
from tests.fakes import FakeLease
from tests.targets.azureml_v1.v1 import V1Bench, model
from tests.targets.leases import LostLease

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

_OPTIONS = AciOptions(kind="aci", cpu_cores=1, memory_gb=1)


async def test_nothing_there_is_created(bench: V1Bench) -> None:
    await bench.up(bench.request(_OPTIONS, "absent"))

    assert len(bench.writes("POST", "/services")) == 1


async def test_ours_as_it_should_be_is_adopted(bench: V1Bench) -> None:
    request = bench.request(_OPTIONS, "same")
    first = await bench.up(request)

    again = await bench.up(replace(request, mark=replace(request.mark, epoch=2)))

    assert again == first
    assert len(bench.writes("POST", "/services")) == 1
    assert bench.writes("PATCH", "/services/same") == []


async def test_ours_with_another_spec_is_changed_in_place(bench: V1Bench) -> None:
    first = await bench.up(bench.request(_OPTIONS, "changed"))
    before = bench.record("changed")

    again = await bench.up(
        bench.request(_OPTIONS, "changed", revision=2, tags={"team": "sales"})
    )

    after = bench.record("changed")
    assert before is not None
    assert after is not None
    assert (again, after.id) == (first, before.id)
    assert section(after.document, "kvTags")["team"] == "sales"


async def test_a_change_that_needs_no_image_builds_none(bench: V1Bench) -> None:
    await bench.up(bench.request(_OPTIONS, "no-image"))

    await bench.up(bench.request(_OPTIONS, "no-image", revision=2, tags={}))

    (patch,) = bench.writes("PATCH", "/services/no-image")
    assert "/environmentImageRequest" not in {one["path"] for one in patch}


async def test_ours_with_what_cannot_change_is_replaced(bench: V1Bench) -> None:
    await bench.up(bench.request(_OPTIONS, "fixed"))
    before = bench.record("fixed")

    larger = replace(_OPTIONS, cpu_cores=2)
    await bench.up(bench.request(larger, "fixed", revision=2))

    after = bench.record("fixed")
    assert before is not None
    assert after is not None
    assert after.id != before.id
    assert len(bench.simulator.world.journal.seen("DELETE", "/services/fixed")) == 1


async def test_ours_that_failed_before_is_replaced(bench: V1Bench) -> None:
    request = bench.request(_OPTIONS, "failed", tags={"simulate": "crash-loop"})
    handle = await bench.aci.apply(request, FakeLease())
    seen = await bench.settled(bench.aci, handle)
    assert seen.phase is ObservedPhase.FAILED

    await bench.up(bench.request(_OPTIONS, "failed", operation="op_2", tags={}))

    assert len(bench.writes("POST", "/services")) == 2


async def test_what_failed_in_this_operation_is_told_and_not_tried_again(
    bench: V1Bench,
) -> None:
    request = bench.request(_OPTIONS, "told", tags={"simulate": "crash-loop"})
    handle = await bench.aci.apply(request, FakeLease())
    await bench.settled(bench.aci, handle)

    await bench.aci.apply(request, FakeLease())

    assert (await bench.aci.observe(handle)).phase is ObservedPhase.FAILED
    assert len(bench.writes("POST", "/services")) == 1


@pytest.mark.parametrize(
    "tags", [{}, {"slipway.installation": "other", "slipway.deployment": "dep_foreign"}]
)
async def test_somebody_elses_is_never_touched(
    bench: V1Bench, tags: dict[str, str]
) -> None:
    book = bench.place().part(ServiceBook)
    theirs = {"name": "foreign", "computeType": "ACI", "state": "Healthy"}
    book.plant("foreign", {**theirs, "kvTags": tags})
    request = bench.request(_OPTIONS, "foreign")

    with pytest.raises(TargetError) as refused:
        await bench.aci.apply(request, FakeLease())
    handle: Handle = {
        "workspace": request.workspace.id,
        "service": "foreign",
        "installation": request.mark.installation,
        "deployment": request.mark.deployment,
    }
    await bench.aci.delete(handle, FakeLease())

    failure = refused.value.failure
    assert failure.code is FailureCode.NAME_TAKEN_AT_TARGET
    assert not refused.value.transient
    assert "ACI" in (failure.cause or "")
    assert _writes(bench) == []


async def test_a_create_whose_answer_was_lost_is_found(bench: V1Bench) -> None:
    bench.simulator.world.faults.add(
        "lost-answer", where={"method": "POST", "path": "*/services"}
    )

    await bench.up(bench.request(_OPTIONS, "lost-create"))

    assert len(bench.writes("POST", "/services")) == 1
    assert bench.names().count("lost-create") == 1


async def test_a_change_whose_answer_was_lost_is_found(bench: V1Bench) -> None:
    await bench.up(bench.request(_OPTIONS, "lost-change"))
    bench.simulator.world.faults.add(
        "lost-answer", where={"method": "PATCH", "path": "*/services/*"}
    )

    await bench.up(bench.request(_OPTIONS, "lost-change", revision=2, tags={}))

    assert len(bench.writes("PATCH", "/services/lost-change")) == 1


async def test_a_delete_whose_answer_was_lost_is_found_by_the_next(
    bench: V1Bench,
) -> None:
    handle = await bench.up(bench.request(_OPTIONS, "lost-delete"))
    bench.simulator.world.faults.add(
        "lost-answer", where={"method": "DELETE", "path": "*/services/*"}
    )

    with pytest.raises(TargetError) as unknown:
        await bench.aci.delete(handle, FakeLease())
    await bench.aci.delete(handle, FakeLease())

    assert unknown.value.transient
    assert "lost-delete" not in bench.names()


async def test_a_request_that_never_arrived_is_no_service(bench: V1Bench) -> None:
    bench.simulator.world.faults.add(
        "dropped-connection", where={"method": "POST", "path": "*/services"}
    )
    request = bench.request(_OPTIONS, "dropped")

    with pytest.raises(TargetError) as unknown:
        await bench.aci.apply(request, FakeLease())
    assert unknown.value.transient
    await bench.up(request)

    assert bench.names().count("dropped") == 1


async def test_deleting_twice_succeeds_twice(bench: V1Bench) -> None:
    handle = await bench.up(bench.request(_OPTIONS, "twice"))

    await bench.aci.delete(handle, FakeLease())
    await bench.aci.delete(handle, FakeLease())

    seen = await bench.aci.observe(handle)
    assert seen.phase is ObservedPhase.MISSING
    assert len(bench.simulator.world.journal.seen("DELETE", "/services/twice")) == 1


async def test_what_azure_is_at_work_on_is_deleted_once_it_can_be(
    bench: V1Bench,
) -> None:
    handle = await bench.aci.apply(bench.request(_OPTIONS, "hurried"), FakeLease())

    await bench.aci.delete(handle, FakeLease())

    assert "hurried" not in bench.names()


async def test_what_azure_is_at_work_on_is_changed_once_it_can_be(
    bench: V1Bench,
) -> None:
    await bench.aci.apply(bench.request(_OPTIONS, "eager"), FakeLease())

    await bench.up(bench.request(_OPTIONS, "eager", revision=2, tags={}))

    record = bench.record("eager")
    assert record is not None
    assert section(record.document, "kvTags")["slipway.revision"] == "2"
    assert len(bench.writes("PATCH", "/services/eager")) == 1


async def test_an_adopted_service_gets_the_mark_with_its_first_change(
    bench: V1Bench,
) -> None:
    theirs = await bench.up(bench.request(_OPTIONS, "adopted"))
    record = bench.record("adopted")
    assert record is not None
    record.document["kvTags"] = {"team": "before"}
    adopted: Handle = {**theirs, "adopted": True}
    request = bench.request(_OPTIONS, "adopted", revision=2, handle=adopted)

    again = await bench.up(request)

    tags = section(record.document, "kvTags")
    assert again == adopted
    assert tags["slipway.deployment"] == request.mark.deployment
    assert bench.record("adopted") is record


async def test_without_a_lease_nothing_is_written(bench: V1Bench) -> None:
    handle = await bench.up(bench.request(_OPTIONS, "leased"))
    bench.simulator.world.journal.clear()

    with pytest.raises(LeaseLostError):
        await bench.aci.apply(bench.request(_OPTIONS, "unleased"), LostLease())
    with pytest.raises(LeaseLostError):
        await bench.aci.delete(handle, LostLease())

    assert _writes(bench) == []


async def test_a_lease_too_short_for_a_write_starts_none(bench: V1Bench) -> None:
    lease = FakeLease()
    lease.seconds = 0.9

    with pytest.raises(LeaseLostError):
        await bench.aci.apply(bench.request(_OPTIONS, "too-short"), lease)

    assert _writes(bench) == []


async def test_a_model_that_is_not_there_is_the_callers_mistake(
    bench: V1Bench,
) -> None:
    request = bench.request(_OPTIONS, "no-model", model=model("99"))

    with pytest.raises(TargetError) as refused:
        await bench.aci.apply(request, FakeLease())

    assert not refused.value.transient
    assert refused.value.failure.remedy
    assert "no-model" not in bench.names()


def _writes(bench: V1Bench) -> list[str]:
    """The requests that made, changed or removed anything."""
    return [
        f"{one.method} {one.path}"
        for one in bench.simulator.world.journal.requests
        if one.method in {"PATCH", "DELETE", "PUT"}
        or (one.method == "POST" and one.path.endswith("/services"))
    ]
