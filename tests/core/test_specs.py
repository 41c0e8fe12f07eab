"""What differs between two specs, and what a rollback brings back."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.diff import diff, option_effects, strongest, with_in_place_fields
from app.core.option import Effect
from app.core.specs import (
    DeploymentSpec,
    LocalOptions,
    ModelSpec,
    VerifySpec,
    is_safe_tag_key,
)

BASE = DeploymentSpec(
    model=ModelSpec(uri="runs:/a/model"), target=LocalOptions(kind="local")
)
SPECS = st.builds(
    DeploymentSpec,
    model=st.builds(
        ModelSpec,
        uri=st.sampled_from(["runs:/a/m", "runs:/b/m"]),
        tags=st.dictionaries(st.sampled_from("xy"), st.sampled_from("12")),
    ),
    target=st.builds(
        LocalOptions,
        kind=st.just("local"),
        environment_variables=st.dictionaries(st.sampled_from("AB"), st.just("1")),
        startup_timeout_seconds=st.sampled_from([60, 120]),
    ),
    description=st.sampled_from(["", "d"]),
    verify=st.builds(VerifySpec, attempts=st.sampled_from([1, 3])),
)


@pytest.mark.parametrize(
    ("changes", "pointer", "effect"),
    [
        ({"description": "x"}, "/description", Effect.IN_PLACE),
        ({"tags": {"a": "b"}}, "/tags", Effect.IN_PLACE),
        ({"verify": VerifySpec(attempts=1)}, "/verify/attempts", Effect.IN_PLACE),
        ({"model": ModelSpec(uri="runs:/b/m")}, "/model/uri", Effect.NEW_REVISION),
        (
            {"model": ModelSpec(uri="runs:/a/model", tags={"a": "b"})},
            "/model/tags",
            Effect.IN_PLACE,
        ),
        (
            {"target": LocalOptions(kind="local", environment_variables={"A": "1"})},
            "/target/environment_variables",
            Effect.NEW_REVISION,
        ),
        (
            {"target": LocalOptions(kind="local", startup_timeout_seconds=60)},
            "/target/startup_timeout_seconds",
            Effect.IN_PLACE,
        ),
    ],
)
def test_each_changed_field_is_named_with_its_effect(
    changes: dict[str, Any], pointer: str, effect: Effect
) -> None:
    found = diff(BASE, replace(BASE, **changes))

    assert [(c.pointer, c.effect) for c in found] == [(pointer, effect)]
    assert strongest(found) is effect


@given(SPECS, SPECS)
def test_two_specs_differ_exactly_when_they_are_not_equal(
    one: DeploymentSpec, other: DeploymentSpec
) -> None:
    assert bool(diff(one, other)) == (one != other)


@given(SPECS, SPECS)
def test_a_rollback_changes_nothing_that_needs_a_new_revision_of_the_past(
    past: DeploymentSpec, current: DeploymentSpec
) -> None:
    restored = with_in_place_fields(past, current)

    assert strongest(diff(past, restored)) in {None, Effect.IN_PLACE}
    assert restored.description == current.description
    assert restored.model.uri == past.model.uri
    assert restored.verify == past.verify


def test_every_option_of_every_target_declares_its_effect() -> None:
    effects = option_effects()

    assert effects["local"] == {
        "kind": Effect.NEW_REVISION,
        "environment_variables": Effect.NEW_REVISION,
        "startup_timeout_seconds": Effect.IN_PLACE,
    }
    assert effects["aci"]["cpu_cores"] is Effect.RECREATE
    assert effects["aci"]["auth_enabled"] is Effect.IN_PLACE
    assert effects["aks"]["namespace"] is Effect.RECREATE
    assert effects["aks"]["num_replicas"] is Effect.IN_PLACE
    assert effects["aks"]["period_seconds"] is Effect.NEW_REVISION


@pytest.mark.parametrize("key", ["slipway.operation", "Slipway.x", "slipway:y"])
def test_our_own_marks_are_not_a_callers_tags(key: str) -> None:
    assert not is_safe_tag_key(key)
