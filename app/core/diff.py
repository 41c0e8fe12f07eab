"""What differs between two specs, and what changing it does."""

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from app.core.cluster_spec import AnyClusterSpec
from app.core.option import Effect, Option, literal_of
from app.core.specs import AnyTargetOptions, DeploymentSpec

_SEVERITY = {effect: rank for rank, effect in enumerate(Effect)}


@dataclass(frozen=True, kw_only=True, slots=True)
class FieldChange:
    """One field that differs, by JSON pointer, and what changing it does."""

    pointer: str
    old: Any
    new: Any
    effect: Effect


def diff(old: DeploymentSpec, new: DeploymentSpec) -> tuple[FieldChange, ...]:
    """Return every field in which `new` differs from `old`, with its effect.

    Mappings such as tags are compared whole: one key more is one changed field.
    """
    return tuple(_changes(old, new, pointer="", inherited=Effect.NEW_REVISION))


def cluster_diff(old: AnyClusterSpec, new: AnyClusterSpec) -> tuple[FieldChange, ...]:
    """Return every field in which `new` differs from `old`, with its effect."""
    return tuple(_changes(old, new, pointer="", inherited=Effect.RECREATE))


def first_fields(spec: DeploymentSpec) -> tuple[FieldChange, ...]:
    """Return every field of a spec that nothing stood before, with its effect."""
    return tuple(
        FieldChange(
            pointer=f"/{name}", old=None, new=getattr(spec, name), effect=effect
        )
        for name, effect in _declared_effects(DeploymentSpec, Effect.NEW_REVISION)
    )


def strongest(changes: tuple[FieldChange, ...]) -> Effect | None:
    """Return the effect that decides what the whole change does; None for none."""
    effects = (change.effect for change in changes)
    return max(effects, key=_SEVERITY.__getitem__, default=None)


def option_effects() -> Mapping[str, Mapping[str, Effect]]:
    """Return the effect of every option of every target, by target kind."""
    targets = get_args(AnyTargetOptions)
    return {
        literal_of(target, "kind"): dict(_declared_effects(target, Effect.NEW_REVISION))
        for target in targets
    }


def cluster_effects() -> Mapping[str, Mapping[str, Effect]]:
    """Return the effect of every option of a cluster, by mode."""
    return {
        literal_of(spec, "mode"): dict(_declared_effects(spec, Effect.RECREATE))
        for spec in get_args(AnyClusterSpec)
    }


def with_in_place_fields(
    past: DeploymentSpec, current: DeploymentSpec
) -> DeploymentSpec:
    """Return `past` with every in_place field as `current` has it.

    This is what a rollback restores: model and options, not counts. `verify` and
    `rollout` belong to the revision and come back with it.
    """
    kept: DeploymentSpec = _overlay(past, current, Effect.NEW_REVISION)
    return dataclasses.replace(kept, verify=past.verify, rollout=past.rollout)


def _changes(
    old: Any,  # noqa: ANN401
    new: Any,  # noqa: ANN401
    *,
    pointer: str,
    inherited: Effect,
) -> Iterator[FieldChange]:
    if type(old) is not type(new) or not dataclasses.is_dataclass(old):
        if old != new:
            yield FieldChange(pointer=pointer, old=old, new=new, effect=inherited)
        return
    for name, effect in _declared_effects(type(old), inherited):
        yield from _changes(
            getattr(old, name),
            getattr(new, name),
            pointer=f"{pointer}/{name}",
            inherited=effect,
        )


def _declared_effects(
    kind: type[Any], inherited: Effect
) -> Iterator[tuple[str, Effect]]:
    hints = get_type_hints(kind, include_extras=True)
    for spec_field in dataclasses.fields(kind):
        yield spec_field.name, _effect(hints[spec_field.name]) or inherited


def _effect(annotation: Any) -> Effect | None:  # noqa: ANN401
    if get_origin(annotation) is not Annotated:
        return None
    options = [item for item in get_args(annotation) if isinstance(item, Option)]
    return options[-1].effect if options else None


def _overlay(past: Any, current: Any, inherited: Effect) -> Any:  # noqa: ANN401
    if type(past) is not type(current) or not dataclasses.is_dataclass(past):
        return current if inherited is Effect.IN_PLACE else past
    values = {
        name: _overlay(getattr(past, name), getattr(current, name), effect)
        for name, effect in _declared_effects(type(past), inherited)
    }
    return dataclasses.replace(past, **values)
