"""What the first start makes: the root secret and the admin key, each kept once."""

import os
import secrets
from pathlib import Path

from app.core.errors import OperatorError
from app.core.principal import Scope
from app.services import keys
from app.services.context import Context
from app.settings import Settings
from app.storage import keys as stored_keys


def root_secrets(settings: Settings) -> list[str]:
    """Return the root secrets: the given ones, or one kept in the data directory.

    Raises OperatorError when there is neither and the database is shared, because
    another process could not read what this one would encrypt.
    """
    if settings.encryption_keys:
        return [key.get_secret_value() for key in settings.encryption_keys]
    kept = settings.data_dir / "secret.key"
    if not kept.exists():
        if not settings.is_embedded:
            raise OperatorError(
                "SLIPWAY_ENCRYPTION_KEYS is not set.",
                remedy="Make one with `openssl rand -base64 32` and give the same to "
                "every api and worker process.",
            )
        _write_private(kept, secrets.token_urlsafe(32))
    return [kept.read_text().strip()]


def _write_private(path: Path, content: str) -> None:
    """Write a new file that only this user can read, durably and all at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(content + "\n")
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(path)


async def ensure_admin_key(parts: Context, settings: Settings) -> str | None:
    """Make the first admin key and keep it for the CLI; None if there is a key."""
    async with parts.database.reading() as connection:
        if await stored_keys.list_all(connection):
            return None
    made = await keys.create(
        parts,
        name="admin",
        scopes=[Scope.ADMIN],
        project="default",
        created_by="slipway serve",
    )
    _write_private(settings.admin_key_file, made.secret)
    return made.secret
