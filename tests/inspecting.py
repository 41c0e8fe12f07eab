"""Fakes of whoever looks at workspaces of Azure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from app.core.adoption import StandingService
from app.core.azure_view import (
    AzureService,
    AzureServices,
    CheckName,
    CheckResult,
    CheckStatus,
    ManagedBy,
    QuotaUsage,
    ServiceKind,
)
from app.core.errors import NotFoundError
from app.core.failure import TargetError
from app.core.workspace import Workspace


@dataclass
class FakeInspector:
    """Tells of one workspace what a test puts here; `broken` is raised instead."""

    statuses: Mapping[CheckName, CheckStatus] = field(default_factory=dict)
    ours: tuple[str, ...] = ()
    broken: TargetError | None = None
    installations: list[str] = field(default_factory=list)

    async def check(self, workspace: Workspace) -> tuple[CheckResult, ...]:
        del workspace
        return tuple(
            CheckResult(
                name=name,
                status=self.statuses.get(name, CheckStatus.OK),
                detail=f"{name} was looked at",
            )
            for name in CheckName
        )

    async def quota(self, workspace: Workspace) -> tuple[QuotaUsage, ...]:
        del workspace
        if self.broken is not None:
            raise self.broken
        usage = QuotaUsage(name="cores", family="vCPUs", used=8, limit=10, unit="Count")
        return (usage,)

    async def services(
        self, workspace: Workspace, *, installation: str
    ) -> AzureServices:
        del workspace
        self.installations.append(installation)
        ours = [
            AzureService(
                kind=ServiceKind.ACI,
                name=f"s-{number}",
                state="Healthy",
                managed_by=ManagedBy.SLIPWAY,
                deployment=deployment,
            )
            for number, deployment in enumerate(self.ours)
        ]
        broken = AzureService(
            kind=ServiceKind.UNKNOWN,
            name="odd",
            state=None,
            managed_by=ManagedBy.OTHER,
            problem="it has no compute type",
        )
        return AzureServices(items=(*ours, broken))


@dataclass
class FakeReader:
    """Reads the services that a test puts here."""

    standing: dict[str, StandingService] = field(default_factory=dict)

    async def read_service(self, workspace: Workspace, name: str) -> StandingService:
        del workspace
        try:
            return self.standing[name]
        except KeyError:
            raise NotFoundError(f"There is no service {name}.") from None
