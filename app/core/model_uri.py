"""Model URIs: what a caller may name, told apart without asking anybody."""

import re
from dataclasses import dataclass

from app.core.errors import FieldProblem, InvalidError

_RUN = re.compile(r"runs:/(?P<run>[A-Za-z0-9_-]{1,64})/(?P<path>[^\s?#]{1,1024})")
_MODEL = re.compile(r"models:/(?P<name>[^/@:?#\s]{1,256})/(?P<rest>[^/@?#\s]{1,256})")
_ALIAS = re.compile(r"models:/(?P<name>[^/@:?#\s]{1,256})@(?P<alias>[\w.-]{1,256})")
_LOGGED = re.compile(r"models:/(?P<id>m-[0-9a-f]{32})")


@dataclass(frozen=True, kw_only=True, slots=True)
class RunModelUri:
    """`runs:/<run>/<path>`: a model that a run logged; registered once when used."""

    run_id: str
    path: str


@dataclass(frozen=True, kw_only=True, slots=True)
class LoggedModelUri:
    """`models:/m-<id>`: a logged model of MLflow 3; registered once when used."""

    model_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class VersionUri:
    """`models:/<name>/<number>`: a registered version, which never changes."""

    name: str
    version: str


@dataclass(frozen=True, kw_only=True, slots=True)
class AliasUri:
    """`models:/<name>@<alias>`: whatever version the alias names at each PUT."""

    name: str
    alias: str


@dataclass(frozen=True, kw_only=True, slots=True)
class LatestUri:
    """`models:/<name>/latest` or `/<stage>`: the newest version (of that stage)."""

    name: str
    stage: str | None = None


ModelUri = RunModelUri | LoggedModelUri | VersionUri | AliasUri | LatestUri


def parse_model_uri(uri: str, *, pointer: str = "/model/uri") -> ModelUri:
    """Return what `uri` names.

    Raises InvalidError (with `pointer`) for anything else: plain paths and web
    addresses are refused, because nobody could say later which model was meant.
    """
    parsed = _parse(uri)
    if parsed is None:
        problem = FieldProblem(
            pointer=pointer,
            code="model_uri",
            detail="not a model URI that Slipway can pin to a version",
        )
        raise InvalidError(
            "The model URI is not one that can be pinned to a version.",
            remedy=(
                "Use runs:/<run>/<path>, models:/<name>/<version>, "
                "models:/<name>@<alias> or models:/<name>/latest."
            ),
            fields=[problem],
        )
    return parsed


def is_moving(uri: ModelUri) -> bool:
    """Say whether the same URI may name another model tomorrow."""
    return isinstance(uri, AliasUri | LatestUri)


def _parse(uri: str) -> ModelUri | None:
    if found := _RUN.fullmatch(uri):
        segments = found["path"].split("/")
        if any(segment in {"", ".", ".."} for segment in segments):
            return None
        return RunModelUri(run_id=found["run"], path=found["path"])
    if found := _LOGGED.fullmatch(uri):
        return LoggedModelUri(model_id=found["id"])
    if found := _ALIAS.fullmatch(uri):
        return AliasUri(name=found["name"], alias=found["alias"])
    if found := _MODEL.fullmatch(uri):
        return _registered(found["name"], found["rest"])
    return None


def _registered(name: str, rest: str) -> ModelUri:
    if rest.isascii() and rest.isdigit():
        return VersionUri(name=name, version=str(int(rest)))
    if rest.lower() == "latest":
        return LatestUri(name=name)
    return LatestUri(name=name, stage=rest)
