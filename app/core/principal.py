"""Who is calling, for which project, and what they may do."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from app.core.errors import ForbiddenError


class Scope(StrEnum):
    """What a key may do; `admin` includes all, no other includes another."""

    READ = "read"
    DEPLOY = "deploy"
    KEYS = "keys"
    ADMIN = "admin"


@dataclass(frozen=True, kw_only=True, slots=True)
class ApiKey:
    """One key of one project; the key itself is shown once and stored nowhere."""

    id: str
    project: str
    name: str
    scopes: tuple[Scope, ...]
    created_by: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None

    def is_valid(self, at: datetime) -> bool:
        """Say whether the key opens anything at that moment."""
        expired = self.expires_at is not None and self.expires_at <= at
        return self.revoked_at is None and not expired


@dataclass(frozen=True, kw_only=True, slots=True)
class Principal:
    """The caller of one request: `name` is what `created_by` records."""

    id: str
    name: str
    project: str
    scopes: tuple[Scope, ...]

    def require(self, scope: Scope) -> None:
        """Raise ForbiddenError unless the caller has `scope` or admin."""
        if scope not in self.scopes and Scope.ADMIN not in self.scopes:
            raise ForbiddenError(f"This needs a key with the scope {scope}.")
