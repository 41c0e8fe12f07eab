"""The v1 web services of a workspace over REST, where no SDK is needed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from app.core.lease import Lease
from app.core.target import KeyName, ScoringKeys, ScoringToken
from app.core.workspace import Workspace
from app.targets.azure_answer import Answer
from app.targets.azure_call import Call, Host, Method
from app.targets.azure_paths import azure_identity, service_path
from app.targets.azure_rest import AzureRest
from app.targets.azure_services import Service, find_operation, find_service
from app.targets.azureml_v1.failures import auth_disabled, bad_answer
from app.targets.azureml_v1.wanted import Health

_NOT_FOUND = 404
_BROKEN = frozenset({"Failed", "Unschedulable"})
_MOVING = "Transitioning"
RUNNING = frozenset({"NotStarted", "Running"})
SUCCEEDED = "Succeeded"

Document = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class LiveService:
    """A service as Azure shows it, with its latest operation if Azure names one.

    Where the two disagree the operation is right: a service may be shown in
    transition for ever (azure.md, trap 4).
    """

    workspace: Workspace
    service: Service
    operation: Document | None

    @property
    def document(self) -> Document:
        """Return what Azure shows of it."""
        return self.service.document

    @property
    def name(self) -> str:
        """Return its name."""
        return self.service.name

    @property
    def is_moving(self) -> bool:
        """Whether Azure is at work on it, and refuses any change."""
        if self.operation is None:
            return self.service.state == _MOVING
        return self.operation.get("state") in RUNNING

    @property
    def health(self) -> Health:
        """Return how its last change ended, FINE while that goes on."""
        if self.is_moving:
            return Health.FINE
        state = self.operation.get("state") if self.operation else SUCCEEDED
        if self.service.state in _BROKEN:
            return Health.BROKEN
        if state == SUCCEEDED:
            return Health.FINE
        is_stuck = self.service.state == _MOVING
        return Health.BROKEN if is_stuck else Health.CHANGE_FAILED

    @property
    def asks_for_key(self) -> bool:
        """Whether its callers need a key."""
        return self.document.get("authEnabled") is True

    @property
    def asks_for_token(self) -> bool:
        """Whether its callers need a token."""
        return self.document.get("aadAuthEnabled") is True

    @property
    def scoring_uri(self) -> str | None:
        """Return where it is called, once it has an address."""
        return _text(self.document, "scoringUri")


class V1Services:
    """Reads services and does what takes one request; writes need a lease.

    A write is sent once. Whether one whose answer was lost was done, a look tells.
    """

    def __init__(self, rest: AzureRest) -> None:
        self._rest = rest

    async def find(self, workspace: Workspace, name: str) -> LiveService | None:
        """Return the service of that name, whosever it is."""
        service = await find_service(self._rest, workspace, name)
        if service is None:
            return None
        operation = None
        if service.operation:
            operation = await self.operation(workspace, service.operation)
        return LiveService(workspace=workspace, service=service, operation=operation)

    async def operation(self, workspace: Workspace, operation: str) -> Document | None:
        """Return a long-running operation as it stands, None if it is forgotten."""
        return await find_operation(self._rest, workspace, operation)

    async def delete(self, service: LiveService, lease: Lease) -> str | None:
        """Delete the service; return the operation that does it, if it takes one."""
        return _operation(await self._write(service, "DELETE", "", lease))

    async def keys(self, service: LiveService) -> ScoringKeys:
        """Return both keys. Raises TargetError: `auth_disabled` if there are none."""
        if not service.asks_for_key:
            raise auth_disabled(service.name, "keys")
        call = Call(
            path=f"{_path(service)}/listkeys",
            method="POST",
            host=Host.REGIONAL,
            is_read=True,
        )
        body = _object((await self._rest.send(service.workspace, call)).body)
        primary, secondary = _text(body, "primaryKey"), _text(body, "secondaryKey")
        if primary is None or secondary is None:
            raise bad_answer("it named no keys")
        return ScoringKeys(primary=primary, secondary=secondary)

    async def set_key(
        self, service: LiveService, name: KeyName, value: str | None, lease: Lease
    ) -> str | None:
        """Begin to replace a key, by `value` if one is given; return the operation."""
        body = {"keyType": name.value.capitalize(), "keyValue": value}
        return _operation(
            await self._write(service, "POST", "/regenerateKeys", lease, body=body)
        )

    async def token(self, service: LiveService) -> ScoringToken:
        """Return a token. Raises TargetError: `auth_disabled` if there are none."""
        if not service.asks_for_token:
            raise auth_disabled(service.name, "tokens")
        call = Call(
            path=f"{_path(service)}/token",
            method="POST",
            host=Host.REGIONAL,
            is_read=True,
        )
        body = _object((await self._rest.send(service.workspace, call)).body)
        value, ends_at = _text(body, "accessToken"), _moment(body, "expiryOn")
        if value is None or ends_at is None:
            raise bad_answer("it named no token")
        return ScoringToken(
            value=value,
            expires_at=ends_at,
            refresh_after=_moment(body, "refreshAfter"),
        )

    async def log(self, service: LiveService, tail: int) -> list[str]:
        """Return the last lines of the service's container, oldest first."""
        call = Call(
            path=f"{_path(service)}/logs",
            host=Host.REGIONAL,
            query={"tail": str(tail), "init": "false"},
            accepts=frozenset({_NOT_FOUND}),
        )
        body = (await self._rest.send(service.workspace, call)).body
        content = body.get("content") if isinstance(body, dict) else None
        return content.splitlines()[-tail:] if isinstance(content, str) else []

    async def _write(
        self,
        service: LiveService,
        method: Method,
        suffix: str,
        lease: Lease,
        *,
        body: object = None,
    ) -> Answer:
        call = Call(
            path=f"{_path(service)}{suffix}",
            method=method,
            host=Host.REGIONAL,
            body=body,
        )
        return await self._rest.send(service.workspace, call, lease=lease)


def _path(service: LiveService) -> str:
    return service_path(azure_identity(service.workspace), service.name)


def _operation(answer: Answer) -> str | None:
    """Return the operation that a write began, None if it is done."""
    location = answer.headers.get("operation-location", "")
    return location.rstrip("/").rpartition("/")[2] or None


def _object(body: object) -> Document:
    """Return an answer's object. Raises TargetError if it is none."""
    if not isinstance(body, dict):
        raise bad_answer("it is not an object")
    return body


def _text(document: Document, name: str) -> str | None:
    value = document.get(name)
    return value if isinstance(value, str) and value else None


def _moment(document: Document, name: str) -> datetime | None:
    value = document.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return datetime.fromtimestamp(value, UTC)
    except (OverflowError, ValueError, OSError):
        return None
