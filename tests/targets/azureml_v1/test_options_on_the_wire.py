"""Every option of both targets, as it arrives at Azure from the real azureml-core."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

import pytest
import pytest_asyncio

from app.core.aci_options import AciOptions
from app.core.aks_options import AksOptions
from tests.targets.azureml_v1.v1 import V1Bench, model, v1_bench
from tests.targets.azureml_v1.wire_tables import (
    ACI,
    ACI_CHANGES,
    ACI_WIRE,
    AKS,
    AKS_CHANGES,
    AKS_WIRE,
    FIXED_AKS,
    FIXED_AKS_WIRE,
    NEW_ACI,
    NEW_AKS,
    SECRETS,
)

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]


@dataclass(frozen=True, kw_only=True)
class Wire:
    """What arrived: the documents of creates, and the patches of changes."""

    created: Mapping[str, dict[str, Any]]
    changed: Mapping[str, dict[str, Any]]
    bench: V1Bench


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def wire(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Wire]:
    directory = tmp_path_factory.mktemp("wire")
    with pytest.MonkeyPatch.context() as environment:
        async with v1_bench(directory, environment) as bench:
            for name, options, secrets in (
                ("aci-1", ACI, SECRETS),
                ("aks-1", AKS, SECRETS),
                ("aks-2", FIXED_AKS, {}),
            ):
                await bench.up(bench.request(options, name, secrets=secrets))
            for name, new, secrets in (
                ("aci-1", NEW_ACI, SECRETS),
                ("aks-1", NEW_AKS, {}),
            ):
                changed = bench.request(
                    new,
                    name,
                    secrets=secrets,
                    revision=2,
                    model=model("2"),
                    description="",
                    tags={"team": "operations"},
                    properties={"origin": "changed", "a/b": "c"},
                )
                await bench.up(changed)
            created = {one["name"]: one for one in bench.writes("POST", "/services")}
            changes = {
                name: {
                    one["path"]: one["value"]
                    for patch in bench.writes("PATCH", f"/services/{name}")
                    for one in patch
                }
                for name in ("aci-1", "aks-1")
            }
            yield Wire(created=created, changed=changes, bench=bench)


def _at(document: Mapping[str, Any], path: str) -> object:
    found: Any = document
    for name in path.split("/"):
        found = found[name]
    return found


async def test_the_tables_name_every_option() -> None:
    assert {field.name for field in fields(AciOptions)} == set(ACI_WIRE)
    named = set(AKS_WIRE) | set(FIXED_AKS_WIRE)
    assert {field.name for field in fields(AksOptions)} == named


@pytest.mark.parametrize("option", ACI_WIRE)
async def test_an_option_of_aci_reaches_azure(wire: Wire, option: str) -> None:
    path, value = ACI_WIRE[option]

    assert _at(wire.created["aci-1"], path) == value


@pytest.mark.parametrize("option", AKS_WIRE)
async def test_an_option_of_aks_reaches_azure(wire: Wire, option: str) -> None:
    path, value = AKS_WIRE[option]

    assert _at(wire.created["aks-1"], path) == value


@pytest.mark.parametrize("option", FIXED_AKS_WIRE)
async def test_an_option_of_aks_that_goes_without_others_reaches_azure(
    wire: Wire, option: str
) -> None:
    path, value = FIXED_AKS_WIRE[option]

    assert _at(wire.created["aks-2"], path) == value


@pytest.mark.parametrize("name", ["aci-1", "aks-1"])
async def test_what_is_no_option_of_the_target_reaches_azure_too(
    wire: Wire, name: str
) -> None:
    document = wire.created[name]

    assert document["description"] == "A model"
    assert document["kvTags"]["team"] == "research"
    assert document["kvTags"]["slipway.deployment"] == f"dep_{name}"
    assert document["properties"]["origin"] == "tests"
    assert document["environmentImageRequest"]["modelIds"] == ["diabetes:1"]
    assert "overwrite" not in document


@pytest.mark.parametrize("path", ACI_CHANGES)
async def test_a_change_of_aci_reaches_azure(wire: Wire, path: str) -> None:
    assert wire.changed["aci-1"][path] == ACI_CHANGES[path]


@pytest.mark.parametrize("path", AKS_CHANGES)
async def test_a_change_of_aks_reaches_azure(wire: Wire, path: str) -> None:
    assert wire.changed["aks-1"][path] == AKS_CHANGES[path]


@pytest.mark.parametrize("name", ["aci-1", "aks-1"])
async def test_a_change_brings_the_new_model_and_tags(wire: Wire, name: str) -> None:
    image = wire.changed[name]["/environmentImageRequest"]
    tags = wire.changed[name]["/kvTags"]

    assert image["modelIds"] == ["diabetes:2"]
    assert tags["team"] == "operations"
    assert tags["slipway.revision"] == "2"


@pytest.mark.parametrize("name", ["aci-1", "aks-1"])
async def test_a_property_that_azure_holds_is_never_changed(
    wire: Wire, name: str
) -> None:
    assert "/properties/origin" not in wire.changed[name]


async def test_the_image_is_made_from_the_models_own_environment(wire: Wire) -> None:
    environment = wire.created["aci-1"]["environmentImageRequest"]["environment"]
    packages = environment["python"]["condaDependencies"]["dependencies"]
    image, _, tag = environment["docker"]["baseImage"].rpartition(":")

    assert "python=3.11.7" in packages
    assert "scikit-learn==1.7.2" in packages[-1]["pip"]
    assert any("inference-server" in one for one in packages[-1]["pip"])
    assert image.startswith("mcr.microsoft.com/azureml/")
    assert tag[0].isdigit()


async def test_no_secret_stands_in_a_tag(wire: Wire) -> None:
    for document in wire.created.values():
        told = str(document["kvTags"]) + str(document["properties"])
        assert not any(secret in told for secret in SECRETS.values())


async def test_nobody_but_azure_was_asked(wire: Wire) -> None:
    journal = wire.bench.simulator.world.journal

    assert journal.unexpected_hosts == {}
    assert journal.unknown() == []
