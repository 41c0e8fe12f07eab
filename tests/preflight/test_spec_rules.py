"""What a spec alone tells, before there is a model to look at."""

from dataclasses import replace

import pytest

from app.core.aci_options import AciOptions
from app.core.aks_options import AksOptions
from app.core.specs import AnyTargetOptions, DeploymentSpec, LocalOptions, ModelSpec
from app.preflight.rules import Severity, check_spec

AKS = AksOptions(kind="aks", compute_target_name="cluster")


def _codes(target: AnyTargetOptions) -> list[tuple[str, Severity]]:
    spec = DeploymentSpec(model=ModelSpec(uri="models:/m/1"), target=target)
    return [(found.code, found.severity) for found in check_spec(spec)]


@pytest.mark.parametrize(
    "target",
    [
        AciOptions(kind="aci", collect_model_data=True),
        replace(AKS, collect_model_data=True),
    ],
)
def test_an_option_without_effect_is_told_of(target: AnyTargetOptions) -> None:
    assert _codes(target) == [("collect_model_data_retired", Severity.WARNING)]


@pytest.mark.parametrize(
    "target",
    [AKS, AciOptions(kind="aci", collect_model_data=False), LocalOptions(kind="local")],
)
def test_without_it_there_is_nothing_to_tell(target: AnyTargetOptions) -> None:
    assert _codes(target) == []
