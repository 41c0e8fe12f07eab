"""API keys: made once, shown once, found again by their keyed hash."""

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from app.core.errors import UnauthorizedError
from app.core.principal import ApiKey, Principal, Scope
from app.services.context import Context
from app.storage import keys, notifications

# 256 bits: nobody guesses one, so a fast keyed hash is enough to store it.
_RANDOM_BYTES = 32
_FORM = re.compile(r"slw_[A-Za-z0-9_-]{43}")
# A revocation is heard of by NOTIFY; this bounds what a lost hint can cost.
_REMEMBERED_FOR_SECONDS = 5.0
_MOST_REMEMBERED = 10_000


@dataclass(frozen=True, kw_only=True, slots=True)
class NewKey:
    """A fresh key: `secret` is shown now and never again."""

    key: ApiKey
    secret: str


async def create(
    context: Context,
    *,
    name: str,
    scopes: Sequence[Scope],
    project: str,
    created_by: str,
    lifetime: timedelta | None = None,
) -> NewKey:
    """Store a new key and return it with its secret."""
    now = context.clock.now()
    secret = f"slw_{secrets.token_urlsafe(_RANDOM_BYTES)}"
    key = ApiKey(
        id=context.ids.new("key"),
        project=project,
        name=name,
        scopes=tuple(scopes),
        created_by=created_by,
        created_at=now,
        expires_at=None if lifetime is None else now + lifetime,
        revoked_at=None,
    )
    async with context.database.transaction() as tx:
        await keys.create(tx, key, context.cipher.fingerprint(secret))
    return NewKey(key=key, secret=secret)


async def revoke(context: Context, key_id: str) -> bool:
    """Switch a key off everywhere at once; False if it was not on."""
    async with context.database.transaction() as tx:
        revoked = await keys.revoke(tx, key_id, at=context.clock.now())
        await notifications.notify(tx, notifications.KEYS, key_id)
        return revoked


@dataclass(frozen=True, slots=True)
class _Remembered:
    key: ApiKey
    until: float


class Authenticator:
    """Turns a bearer key into a principal, asking the database once in a while."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._remembered: dict[str, _Remembered] = {}

    def forget(self) -> None:
        """Ask the database again for every key: some key was revoked."""
        self._remembered.clear()

    async def principal(self, secret: str) -> Principal:
        """Return who holds `secret`.

        Raises UnauthorizedError, the same for unknown, revoked and expired keys.
        """
        if not _FORM.fullmatch(secret):
            raise UnauthorizedError("The API key is not valid.")
        key = await self._find(secret)
        if key is None or not key.is_valid(self._context.clock.now()):
            raise UnauthorizedError("The API key is not valid.")
        return _principal(key)

    async def _find(self, secret: str) -> ApiKey | None:
        fingerprints = self._context.cipher.fingerprints(secret)
        now = self._context.clock.monotonic()
        remembered = self._remembered.get(fingerprints[0])
        if remembered is not None and remembered.until > now:
            return remembered.key
        async with self._context.database.reading() as connection:
            key = await keys.find(connection, fingerprints)
        if key is not None:
            if len(self._remembered) >= _MOST_REMEMBERED:
                self._remembered.clear()
            self._remembered[fingerprints[0]] = _Remembered(
                key, now + _REMEMBERED_FOR_SECONDS
            )
        return key


def _principal(key: ApiKey) -> Principal:
    return Principal(id=key.id, name=key.name, project=key.project, scopes=key.scopes)
