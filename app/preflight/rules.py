"""The rules: what a model's own files tell about how it will fare once deployed."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from app.core.aci_options import AciOptions
from app.core.aks_options import AksOptions
from app.core.specs import DeploymentSpec, LocalOptions
from app.core.target import ModelFacts

_SERVED_BY = (sys.version_info.major, sys.version_info.minor)
# The major version of the scoring server that the extra `worker` pins.
_MLFLOW_MAJOR = 3


class Severity(StrEnum):
    """Whether a finding stops the operation, or only tells something."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One thing found: `code` is stable, `evidence` quotes what it was found in."""

    code: str
    severity: Severity
    message: str
    remedy: str
    evidence: str | None = None


Rule = Callable[[ModelFacts, DeploymentSpec], Finding | None]
# One that needs no model, so that it can be told before there is one.
SpecRule = Callable[[DeploymentSpec], Finding | None]


def check(facts: ModelFacts, spec: DeploymentSpec) -> list[Finding]:
    """Return what every rule found, errors first; an empty list is a clean bill."""
    found = [*_found(facts, spec), *check_spec(spec)]
    order = list(Severity)
    return sorted(found, key=lambda finding: order.index(finding.severity))


def check_spec(spec: DeploymentSpec) -> list[Finding]:
    """Return what the rules found that look at the spec alone."""
    return [found for rule in SPEC_RULES if (found := rule(spec)) is not None]


def _found(facts: ModelFacts, spec: DeploymentSpec) -> Iterator[Finding]:
    for rule in RULES:
        finding = rule(facts, spec)
        if finding is not None:
            yield finding


def flavor(facts: ModelFacts, _spec: DeploymentSpec) -> Finding | None:
    """Refuse a model without the python_function flavor: nothing can serve it."""
    if "python_function" in facts.flavors:
        return None
    return Finding(
        code="flavor_missing",
        severity=Severity.ERROR,
        message="The model has no python_function flavor, so nothing can serve it.",
        remedy="Log it with an MLflow flavor that adds python_function.",
        evidence=", ".join(facts.flavors) or None,
    )


def python_version(facts: ModelFacts, spec: DeploymentSpec) -> Finding | None:
    """Warn of a model made by another Python: it may fail to load."""
    made_by = _major_minor(facts.python_version)
    if made_by in {None, _SERVED_BY} or not _is_served_here(spec):
        return None
    serving = ".".join(str(part) for part in _SERVED_BY)
    return Finding(
        code="python_version_differs",
        severity=Severity.WARNING,
        message=f"The model was made by another Python than {serving}, which serves.",
        remedy=f"Log the model with Python {serving} if it fails to load.",
        evidence=facts.python_version,
    )


def mlflow_version(facts: ModelFacts, spec: DeploymentSpec) -> Finding | None:
    """Warn of a model of a newer MLflow: it may use what this one lacks."""
    made_by = _major_minor(facts.mlflow_version)
    is_older = made_by is None or made_by[0] <= _MLFLOW_MAJOR
    if is_older or not _is_served_here(spec):
        return None
    return Finding(
        code="mlflow_version_newer",
        severity=Severity.WARNING,
        message="The model was logged by a newer major release of MLflow.",
        remedy=f"Log it with MLflow {_MLFLOW_MAJOR}.x if it fails to load.",
        evidence=facts.mlflow_version,
    )


def example(facts: ModelFacts, spec: DeploymentSpec) -> Finding | None:
    """Tell that there is no input for the smoke test, or refuse if one must be."""
    needs_one = spec.verify.mode != "off" and spec.verify.input is None
    if facts.example is not None or not needs_one:
        return None
    is_required = spec.verify.mode == "required"
    return Finding(
        code="input_example_missing",
        severity=Severity.ERROR if is_required else Severity.INFO,
        message="The model has no input example and verify.input is not given.",
        remedy="Log the model with input_example, or give verify.input.",
    )


def signature(facts: ModelFacts, _spec: DeploymentSpec) -> Finding | None:
    """Tell that wrong input will be found by the model's own code alone."""
    if facts.has_signature:
        return None
    return Finding(
        code="signature_missing",
        severity=Severity.INFO,
        message="The model has no signature, so its input is not checked.",
        remedy="Log the model with a signature or an input example.",
    )


def conda_environment(facts: ModelFacts, spec: DeploymentSpec) -> Finding | None:
    """Refuse a model that names no conda environment where an image is made of it."""
    if _is_served_here(spec) or facts.conda_yaml is not None:
        return None
    return Finding(
        code="conda_yaml_missing",
        severity=Severity.ERROR,
        message="The model has no conda.yaml, of which Azure would make its image.",
        remedy="Log the model with MLflow, which writes one, or give conda_env.",
    )


def model_data(spec: DeploymentSpec) -> Finding | None:
    """Warn of an option that Azure takes and does nothing with any more."""
    match spec.target:
        case AciOptions(collect_model_data=True) | AksOptions(collect_model_data=True):
            return Finding(
                code="collect_model_data_retired",
                severity=Severity.WARNING,
                message="collect_model_data has no effect: what collected the data is "
                "the SDK's code in a scoring script, which a model that is deployed "
                "without a script does not have, and Azure retired it with v1.",
                remedy="Set enable_app_insights to keep what the service logs, or use "
                "the data collector of an online endpoint (target managed).",
                evidence="target.collect_model_data",
            )
        case _:
            return None


SPEC_RULES: tuple[SpecRule, ...] = (model_data,)
RULES: tuple[Rule, ...] = (
    flavor,
    conda_environment,
    python_version,
    mlflow_version,
    example,
    signature,
)


def _is_served_here(spec: DeploymentSpec) -> bool:
    """Whether this very Python and MLflow serve it, and no image made for it."""
    return isinstance(spec.target, LocalOptions)


def _major_minor(version: str | None) -> tuple[int, int] | None:
    parts = (version or "").split(".")
    if len(parts) < 2 or not all(part.isdigit() for part in parts[:2]):  # noqa: PLR2004
        return None
    return int(parts[0]), int(parts[1])
