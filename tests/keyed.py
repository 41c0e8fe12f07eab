"""Fakes of targets whose endpoints ask their callers for a key or a token."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import ClassVar

from typing_extensions import override

from app.core.failure import TargetError
from app.core.lease import Lease
from app.core.target import ApplyRequest, Handle, KeyName, ScoringKeys, ScoringToken
from tests.fakes import FakeInPlaceTarget

TOKEN_ENDS_AT = datetime(2100, 1, 1, tzinfo=UTC)


@dataclass
class FakeAciTarget(FakeInPlaceTarget):
    """Keeps two keys, whose number rises when one is replaced.

    `broken` is raised, one at a time, instead of replacing a key.
    """

    kind: ClassVar[str] = "aci"
    log_sources: ClassVar[tuple[str, ...]] = ("model", "build")

    requests: list[ApplyRequest] = field(default_factory=list)
    made: dict[KeyName, int] = field(default_factory=lambda: dict.fromkeys(KeyName, 1))
    tokens: int = 0
    broken: list[TargetError] = field(default_factory=list)

    @override
    async def apply(self, request: ApplyRequest, lease: Lease) -> Handle:
        self.requests.append(request)
        handle = await super().apply(request, lease)
        # As the contract has it: all revisions of one service have equal handles.
        if request.handle is not None and request.handle.get("adopted"):
            handle = request.handle
        return handle

    async def keys(self, handle: Handle) -> ScoringKeys:
        del handle
        primary, secondary = (f"{name}-{self.made[name]}" for name in KeyName)
        return ScoringKeys(primary=primary, secondary=secondary)

    async def regenerate_key(self, handle: Handle, name: KeyName, lease: Lease) -> None:
        del handle
        lease.check()
        if self.broken:
            raise self.broken.pop(0)
        self.made[name] += 1

    async def scoring_token(self, handle: Handle) -> ScoringToken:
        del handle
        self.tokens += 1
        return ScoringToken(
            value=f"token-{self.tokens}", expires_at=TOKEN_ENDS_AT, refresh_after=None
        )


@dataclass
class FakeAksTarget(FakeAciTarget):
    """The same for clusters."""

    kind: ClassVar[str] = "aks"
