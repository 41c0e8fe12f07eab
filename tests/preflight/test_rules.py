"""What a model's own files tell before it is deployed."""

import sys
from dataclasses import replace
from typing import Any

import pytest

from app.core.aci_options import AciOptions
from app.core.aks_options import AksOptions
from app.core.specs import (
    AnyTargetOptions,
    DeploymentSpec,
    LocalOptions,
    ModelSpec,
    VerifyMode,
    VerifySpec,
)
from app.core.target import ModelFacts
from app.preflight.rules import RULES, Severity, check

_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
_SOUND = ModelFacts(
    flavors=("python_function", "sklearn"),
    python_version=f"{_PYTHON}.99",
    mlflow_version="3.15.0",
    has_signature=True,
    example='{"inputs": [1]}',
    size_bytes=1000,
)


def _spec(
    mode: VerifyMode = "best_effort", *, given: dict[str, Any] | None = None
) -> DeploymentSpec:
    return DeploymentSpec(
        model=ModelSpec(uri="models:/m/1"),
        target=LocalOptions(kind="local"),
        verify=VerifySpec(mode=mode, input=given),
    )


_AZURE: tuple[AnyTargetOptions, ...] = (
    AciOptions(kind="aci"),
    AksOptions(kind="aks", compute_target_name="aks-mlflow"),
)


@pytest.mark.parametrize("target", _AZURE, ids=lambda target: target.kind)
def test_a_model_without_conda_yaml_is_refused_where_an_image_is_made_of_it(
    target: AnyTargetOptions,
) -> None:
    (finding,) = check(_SOUND, replace(_spec(), target=target))

    assert (finding.code, finding.severity) == ("conda_yaml_missing", Severity.ERROR)


@pytest.mark.parametrize("target", _AZURE, ids=lambda target: target.kind)
def test_what_serves_here_does_not_matter_to_an_image_of_its_own(
    target: AnyTargetOptions,
) -> None:
    facts = replace(
        _SOUND, conda_yaml="{}", python_version="3.8.1", mlflow_version="4.0.0"
    )

    assert check(facts, replace(_spec(), target=target)) == []


def test_a_sound_model_has_a_clean_bill() -> None:
    assert check(_SOUND, _spec("required")) == []


@pytest.mark.parametrize(
    ("changed", "code", "severity"),
    [
        ({"flavors": ("sklearn",)}, "flavor_missing", Severity.ERROR),
        ({"flavors": ()}, "flavor_missing", Severity.ERROR),
        ({"python_version": "2.7.18"}, "python_version_differs", Severity.WARNING),
        ({"python_version": "3.4"}, "python_version_differs", Severity.WARNING),
        ({"mlflow_version": "4.0.0"}, "mlflow_version_newer", Severity.WARNING),
        ({"example": None}, "input_example_missing", Severity.INFO),
        ({"has_signature": False}, "signature_missing", Severity.INFO),
    ],
)
def test_each_fault_is_found_by_its_code(
    changed: dict[str, Any], code: str, severity: Severity
) -> None:
    (finding,) = check(replace(_SOUND, **changed), _spec())

    assert (finding.code, finding.severity) == (code, severity)
    assert finding.message
    assert finding.remedy


@pytest.mark.parametrize(
    "changed",
    [
        {"python_version": None},
        {"python_version": f"{_PYTHON}.0"},
        {"python_version": "unknown"},
        {"mlflow_version": None},
        {"mlflow_version": "3.99.1"},
        {"mlflow_version": "2.9.0"},
        {"size_bytes": None},
    ],
)
def test_what_is_unknown_or_older_is_no_fault(changed: dict[str, Any]) -> None:
    assert check(replace(_SOUND, **changed), _spec()) == []


@pytest.mark.parametrize(
    ("spec", "severity"),
    [
        (_spec("required"), Severity.ERROR),
        (_spec("best_effort"), Severity.INFO),
        (_spec("off"), None),
        (_spec("required", given={"inputs": [1]}), None),
    ],
)
def test_a_missing_example_weighs_as_much_as_verify_needs_it(
    spec: DeploymentSpec, severity: Severity | None
) -> None:
    findings = check(replace(_SOUND, example=None), spec)

    assert [one.severity for one in findings] == ([severity] if severity else [])


def test_errors_come_first() -> None:
    worst = ModelFacts(
        flavors=("spark",),
        python_version="2.7.1",
        mlflow_version="9.0.0",
        has_signature=False,
        example=None,
        size_bytes=None,
    )

    findings = check(worst, _spec())

    ranks = [list(Severity).index(one.severity) for one in findings]
    assert ranks == sorted(ranks)
    # All but the one about what only an image needs.
    assert len(findings) == len(RULES) - 1
    assert findings[0].evidence == "spark"
