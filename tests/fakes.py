"""Typed fakes for the ports: a model store and a target that do as they are told."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from app.core.failure import Blame, Failure, FailureCode, TargetError
from app.core.lease import Lease
from app.core.model_uri import ModelUri, VersionUri
from app.core.target import (
    ApplyRequest,
    Exposure,
    Handle,
    Invocation,
    InvocationResult,
    ModelFacts,
    Observation,
    ObservedPhase,
    ResolvedModel,
    ResolveRequest,
    Target,
)
from app.core.workspace import Workspace


class FakeLease:
    """A lease that lasts until the test ends it."""

    def __init__(self) -> None:
        self.seconds = 60.0

    def remaining_seconds(self) -> float:
        return self.seconds

    def check(self) -> None:
        return None


def failure(
    code: FailureCode = FailureCode.TARGET_FAILED, *, cause: str = "it broke"
) -> Failure:
    return Failure(
        code=code,
        message="The fake failed.",
        cause=cause,
        remedy="Mend the fake.",
        retryable=True,
        blame=Blame.CALLER,
    )


@dataclass
class FakeStore:
    """Registers each URI once; `broken` is raised instead of an answer."""

    versions: dict[str, ResolvedModel] = field(default_factory=dict)
    broken: list[TargetError] = field(default_factory=list)
    registered: int = 0
    example: str | None = '{"inputs": [1]}'
    flavors: tuple[str, ...] = ("python_function",)
    gate: asyncio.Event | None = None

    async def find(self, workspace: Workspace, uri: ModelUri) -> ResolvedModel | None:
        del workspace
        if isinstance(uri, VersionUri):
            return _model(uri.name, uri.version)
        return self.versions.get(repr(uri))

    async def resolve(self, request: ResolveRequest, lease: Lease) -> ResolvedModel:
        if self.gate is not None:
            await self.gate.wait()
        if self.broken:
            raise self.broken.pop(0)
        lease.check()
        found = await self.find(request.workspace, request.uri)
        if found is None:
            self.registered += 1
            found = _model(request.register_as, str(self.registered))
            self.versions[repr(request.uri)] = found
        return found

    async def inspect(self, workspace: Workspace, model: ResolvedModel) -> ModelFacts:
        del workspace, model
        return ModelFacts(
            flavors=self.flavors,
            python_version=None,
            mlflow_version=None,
            has_signature=True,
            example=self.example,
            size_bytes=1,
            conda_yaml="name: fake",
        )


@dataclass
class FakeTarget:
    """Serves slots in memory and counts what is done to it.

    `outcomes` says what becomes of a slot that is applied (default: ready);
    `holding` keeps slots in STARTING until it is cleared.
    """

    kind: ClassVar[str] = "local"
    log_sources: ClassVar[tuple[str, ...]] = ("model",)

    running: dict[str, ObservedPhase] = field(default_factory=dict)
    outcomes: dict[str, ObservedPhase] = field(default_factory=dict)
    traffic: dict[str, str] = field(default_factory=dict)
    created: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    answers: dict[str, int] = field(default_factory=dict)
    refuses_delete: int = 0
    holding: bool = False
    pause_seconds: float = 0.02

    async def apply(self, request: ApplyRequest, lease: Lease) -> Handle:
        lease.check()
        key = f"{request.endpoint}#{request.slot}"
        if key not in self.running:
            self.created.append(request.slot)
            self.running[key] = self.outcomes.get(request.slot, ObservedPhase.READY)
        return {"key": key, "slot": request.slot}

    async def observe(self, handle: Handle) -> Observation:
        phase = self.running.get(str(handle["key"]), ObservedPhase.MISSING)
        if self.holding and phase is ObservedPhase.READY:
            phase = ObservedPhase.STARTING
        broke = failure(FailureCode.MODEL_LOAD_FAILED)
        return Observation(
            phase=phase,
            raw_state=phase.value,
            message="isolation: fake" if phase is ObservedPhase.READY else "",
            failure=broke if phase is ObservedPhase.FAILED else None,
            retry_after_seconds=self.pause_seconds,
        )

    async def delete(self, handle: Handle, lease: Lease) -> None:
        lease.check()
        if self.refuses_delete:
            self.refuses_delete -= 1
            raise TargetError(failure())
        self.running.pop(str(handle["key"]), None)
        self.deleted.append(str(handle["slot"]))

    async def shift(
        self, endpoint: str, handle: Handle, *, previous: str | None
    ) -> Exposure:
        self.traffic[endpoint] = str(handle["slot"])
        uri = previous or "http://127.0.0.1:1/invocations"
        return Exposure(scoring_uri=uri, swagger_uri=None)

    async def close(self, endpoint: str) -> None:
        self.traffic.pop(endpoint, None)

    async def invoke(self, handle: Handle, call: Invocation) -> InvocationResult:
        del call
        status = self.answers.get(str(handle["slot"]), 200)
        return InvocationResult(status=status, body=b'{"error": "no such column"}')

    async def logs(self, handle: Handle, *, source: str, tail: int) -> list[str]:
        return [f"{handle['slot']} {source} log"][:tail]


@dataclass
class FakeInPlaceTarget:
    """One service per deployment, which every revision changes in place.

    `standing` is the slot that each service runs as; `outcomes` as of FakeTarget.
    """

    kind: ClassVar[str] = "local"
    changes_in_place: ClassVar[Literal[True]] = True
    log_sources: ClassVar[tuple[str, ...]] = ("model",)

    standing: dict[str, str] = field(default_factory=dict)
    outcomes: dict[str, ObservedPhase] = field(default_factory=dict)
    applied: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)

    async def apply(self, request: ApplyRequest, lease: Lease) -> Handle:
        lease.check()
        name = request.deployment_name
        self.applied.append(request.slot)
        self.standing[name] = request.slot
        return {"service": name, "azure_name": name}

    async def observe(self, handle: Handle) -> Observation:
        slot = self.standing.get(str(handle["service"]))
        if slot is None:
            return Observation(phase=ObservedPhase.MISSING, raw_state="none")
        phase = self.outcomes.get(slot, ObservedPhase.READY)
        broke = failure(FailureCode.MODEL_LOAD_FAILED)
        return Observation(
            phase=phase,
            raw_state="Healthy" if phase is ObservedPhase.READY else "Failed",
            retry_after_seconds=0.01,
            scoring_uri="http://127.0.0.1:1/score",
            failure=broke if phase is ObservedPhase.FAILED else None,
        )

    async def delete(self, handle: Handle, lease: Lease) -> None:
        lease.check()
        self.deleted.append(str(handle["service"]))
        self.standing.pop(str(handle["service"]), None)

    async def logs(self, handle: Handle, *, source: str, tail: int) -> list[str]:
        return [f"{self.standing.get(str(handle['service']))} {source} log"][:tail]


def targets(target: Target) -> Mapping[str, Target]:
    return {target.kind: target}


def _model(name: str, version: str) -> ResolvedModel:
    return ResolvedModel(name=name, version=version, uri=f"models:/{name}/{version}")
