"""What Azure refuses, told in our words: cause, remedy, and what it said last."""

import pytest

from app.core.aci_options import AciOptions
from app.core.aks_options import AksOptions
from app.core.failure import FailureCode, TargetError
from app.core.target import ObservedPhase, ResolvedModel
from app.simulator.artifacts import ArtifactStore
from app.simulator.model_registry import ModelRegistry
from tests.fakes import FakeLease
from tests.targets.azureml_v1.v1 import CLUSTER, V1Bench

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

_ACI = AciOptions(kind="aci", cpu_cores=1, memory_gb=1)
_AKS = AksOptions(kind="aks", compute_target_name=CLUSTER)


@pytest.mark.parametrize(
    ("fault", "code", "quoted"),
    [
        ("image-build-failure", FailureCode.IMAGE_BUILD_FAILED, "no-such-package"),
        ("crash-loop", FailureCode.CONTAINER_CRASHED, "ModuleNotFoundError"),
        ("quota", FailureCode.QUOTA_EXCEEDED, None),
        ("out-of-capacity", FailureCode.OUT_OF_CAPACITY, None),
        ("timed-out", FailureCode.TARGET_TIMED_OUT, None),
        ("cancelled", FailureCode.TARGET_CANCELED, None),
        ("forbidden-as-transitioning", FailureCode.PERMISSION_DENIED, None),
    ],
)
async def test_what_azure_refuses_is_told_with_a_remedy(
    bench: V1Bench, fault: str, code: FailureCode, quoted: str | None
) -> None:
    request = bench.request(_ACI, f"f-{fault}"[:32], tags={"simulate": fault})
    handle = await bench.aci.apply(request, FakeLease())

    seen = await bench.settled(bench.aci, handle)

    assert seen.phase is ObservedPhase.FAILED
    assert seen.failure is not None
    assert seen.failure.code is code
    assert seen.failure.remedy
    assert seen.failure.evidence.azure_code
    if quoted is not None:
        assert any(quoted in line for line in seen.failure.evidence.log_tail)


async def test_a_cluster_without_room_is_told_as_such(bench: V1Bench) -> None:
    request = bench.request(_AKS, "no-room", tags={"simulate": "unschedulable"})
    handle = await bench.aks.apply(request, FakeLease())

    seen = await bench.settled(bench.aks, handle)

    assert seen.raw_state.startswith("Unschedulable")
    assert seen.failure is not None
    assert seen.failure.code is FailureCode.UNSCHEDULABLE


async def test_a_cluster_that_is_not_there_is_told_before_anything_is_made(
    bench: V1Bench,
) -> None:
    options = AksOptions(kind="aks", compute_target_name="nowhere")

    with pytest.raises(TargetError) as refused:
        await bench.aks.apply(bench.request(options, "no-cluster"), FakeLease())

    assert not refused.value.transient
    assert "nowhere" in (refused.value.failure.cause or "")
    assert "no-cluster" not in bench.names()


async def test_no_secret_stands_in_a_failure(bench: V1Bench) -> None:
    bench.simulator.world.faults.add(
        "forbidden", where={"method": "POST", "path": "*/services"}
    )

    with pytest.raises(TargetError) as refused:
        await bench.aci.apply(bench.request(_ACI, "denied"), FakeLease())

    assert refused.value.failure.code is FailureCode.PERMISSION_DENIED
    assert "Bearer" not in repr(refused.value.failure)
    assert refused.value.failure.evidence.correlation_ids


@pytest.mark.parametrize("fault", ["html", "throttled", "server-error", "unauthorized"])
async def test_a_gateways_answer_is_tried_again_later(
    bench: V1Bench, fault: str
) -> None:
    bench.simulator.world.faults.add(
        fault, where={"method": "POST", "path": "*/services"}
    )
    request = bench.request(_ACI, f"later-{fault}")

    with pytest.raises(TargetError) as refused:
        await bench.aci.apply(request, FakeLease())
    await bench.up(request)

    assert refused.value.transient or fault == "unauthorized"


@pytest.mark.parametrize(
    ("files", "missing"),
    [
        ({"weights.bin": b"x"}, "MLmodel"),
        ({"MLmodel": b"flavors:\n  python_function: {}\n"}, "conda.yaml"),
        ({"MLmodel": b"flavors:\n  sklearn: {}\n"}, "python_function"),
        (
            {"MLmodel": b"flavors:\n  python_function:\n    env: ../../key\n"},
            "leads out",
        ),
    ],
)
async def test_a_model_that_no_image_can_be_made_for_is_refused(
    bench: V1Bench, files: dict[str, bytes], missing: str
) -> None:
    place = bench.place()
    folder = f"odd-{missing.split(maxsplit=1)[0]}"
    for name, content in files.items():
        place.part(ArtifactStore).write("LocalUpload", folder, f"m/{name}", content)
    registered = place.part(ModelRegistry).register(
        "odd", f"aml://artifactId/LocalUpload/{folder}/m"
    )
    version = str(registered.version)
    model = ResolvedModel(name="odd", version=version, uri=f"models:/odd/{version}")

    with pytest.raises(TargetError) as refused:
        await bench.aci.apply(bench.request(_ACI, "odd", model=model), FakeLease())

    assert refused.value.failure.code is FailureCode.MODEL_REFUSED
    assert missing in refused.value.failure.message
    assert bench.writes("POST", "/services") == []
