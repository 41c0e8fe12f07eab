"""Registering a run's model once, however often and by however many it is asked for.

MLflow has no create-if-missing, so the order is: look, create with our mark, look
again. Version numbers only rise, so all who look again agree on the lowest version of
that very model; each then removes what it made itself and nobody else's. A process
may be killed between any two steps: the next one finds what it left by the source.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from app.core.failure import TargetError
from app.core.lease import Lease
from app.core.target import Mark, ResolveRequest
from app.targets.failures import store_unavailable

SOURCE_TAG = "slipway.source"
OPERATION_TAG = "slipway.operation"


@dataclass(frozen=True, kw_only=True, slots=True)
class RunModel:
    """A logged model: the `uri` it was asked for by, and what MLflow knows of it."""

    uri: str
    source: str
    run_id: str | None
    model_id: str | None


class Registry(Protocol):
    """A model registry that is asked one thing at a time."""

    async def ask(
        self, operation: str, arguments: Mapping[str, Any], *, seconds: float
    ) -> dict[str, Any]:
        """Return the answer to a question. Raises TargetError."""
        ...

    async def change(
        self, operation: str, arguments: Mapping[str, Any], *, lease: Lease
    ) -> dict[str, Any]:
        """Make one change within the lease. Raises LeaseLostError or TargetError."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class _Version:
    number: int
    operation: str | None


async def register_once(
    registry: Registry,
    model: RunModel,
    *,
    request: ResolveRequest,
    lease: Lease,
    seconds: float,
) -> int:
    """Return the one version of `model` that is in use under `request.register_as`.

    Each question may take `seconds`; each change is made within the lease.
    """
    name = request.register_as
    versions = await _versions(registry, name, model, seconds)
    if not versions:
        await _ensure_name(registry, name, lease=lease, seconds=seconds)
        made = {"name": name, "source": model.source, "tags": _tags(model, request)}
        ids = {"run_id": model.run_id, "model_id": model.model_id}
        await registry.change("create_version", {**made, **ids}, lease=lease)
        versions = await _versions(registry, name, model, seconds)
    if not versions:
        raise store_unavailable("a version was registered and is not ready yet")
    winner = min(versions, key=lambda one: one.number)
    for extra in versions:
        if extra is not winner and extra.operation == request.mark.operation:
            arguments = {"name": name, "version": str(extra.number)}
            await registry.change("delete_version", arguments, lease=lease)
    return winner.number


async def _versions(
    registry: Registry, name: str, model: RunModel, seconds: float
) -> list[_Version]:
    arguments = {
        "name": name,
        "uri": model.uri,
        "source": model.source,
        "run_id": model.run_id,
    }
    answer = await registry.ask("same_source", arguments, seconds=seconds)
    return [
        _Version(number=one["version"], operation=one["operation"])
        for one in answer["versions"]
    ]


async def _ensure_name(
    registry: Registry, name: str, *, lease: Lease, seconds: float
) -> None:
    if (await registry.ask("has_model", {"name": name}, seconds=seconds))["exists"]:
        return
    try:
        await registry.change("create_model", {"name": name}, lease=lease)
    except TargetError:
        # Somebody else may have been faster; if not, the error stands.
        answer = await registry.ask("has_model", {"name": name}, seconds=seconds)
        if not answer["exists"]:
            raise


def _tags(model: RunModel, request: ResolveRequest) -> dict[str, str]:
    return {**request.tags, SOURCE_TAG: model.uri, **_mark_tags(request.mark)}


def _mark_tags(mark: Mark) -> dict[str, str]:
    return {
        OPERATION_TAG: mark.operation,
        "slipway.deployment": mark.deployment,
        "slipway.installation": mark.installation,
        "slipway.revision": str(mark.revision),
    }
