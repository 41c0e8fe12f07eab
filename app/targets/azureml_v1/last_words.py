"""The end of the log that says why a service failed, read once for each failure."""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from app.core.failure import TargetError
from app.core.workspace import Workspace
from app.targets.azure_round import ServiceLook
from app.targets.azure_services import Service
from app.targets.azureml_v1.build_log import BuildLogs
from app.targets.azureml_v1.services import LiveService, V1Services

_LINES = 50
_MOST_REMEMBERED = 200  # failures, each with its lines
_BUILDING = frozenset({"BuildEnvironment", "BuildImage"})

_Key = tuple[str, str, str, str]


class LastWords:
    """Quotes a failed build's log, or else the container's.

    A failed service may be looked at every few seconds; what it said does not change.
    """

    def __init__(self, services: V1Services, build_logs: BuildLogs) -> None:
        self._services = services
        self._build_logs = build_logs
        self._known: OrderedDict[_Key, tuple[str, ...]] = OrderedDict()

    async def of(self, workspace: Workspace, look: ServiceLook) -> tuple[str, ...]:
        """Return the last lines, oldest first; none if there are none to be had."""
        if look.service is None:
            return ()
        service, operation = Service(look.service), look.operation or {}
        key = (workspace.id, service.name, service.operation, service.state)
        if key not in self._known:
            try:
                lines = await self._read(workspace, service, operation)
            except TargetError:
                # No reason not to tell of the failure; the next look tries again.
                return ()
            self._known[key] = tuple(lines)
            while len(self._known) > _MOST_REMEMBERED:
                self._known.popitem(last=False)
        return self._known[key]

    async def _read(
        self, workspace: Workspace, service: Service, operation: Mapping[str, Any]
    ) -> list[str]:
        details = operation.get("operationDetails")
        part = details.get("subOperationType") if isinstance(details, dict) else None
        if part in _BUILDING:
            return await self._build_logs.tail(operation, _LINES)
        live = LiveService(workspace=workspace, service=service, operation=operation)
        return await self._services.log(live, _LINES)
