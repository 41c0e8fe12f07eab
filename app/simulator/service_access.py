"""The keys and tokens of services, and whether a scoring request carries one."""

import hmac

from app.simulator.errors import AzureError
from app.simulator.paths import bad_request
from app.simulator.service_operations import Ending, ServiceOperation
from app.simulator.service_plans import regeneration
from app.simulator.services import (
    Keys,
    ServiceBook,
    ServiceRecord,
    new_key,
    succeeded,
)
from app.simulator.world import World

_TOKEN_SECONDS = 12 * 3600
_REFRESH_SECONDS = 10 * 3600
_SCHEME = "Bearer "


class IssuedTokens:
    """The scoring tokens of all services, by token: whose, and until when."""

    def __init__(self, world: World) -> None:
        self._clock = world.clock
        self._tokens: dict[str, tuple[str, float]] = {}

    def issue(self, holder: str) -> str:
        """Return a new token for a service, known by its `holder` name."""
        token = new_key()
        self._tokens[token] = (holder, self._clock.wall() + _TOKEN_SECONDS)
        return token

    def admits(self, token: str, holder: str) -> bool:
        """Tell whether a token is good for a service now."""
        owner, until = self._tokens.get(token, ("", 0.0))
        return owner == holder and until > self._clock.wall()


def key_of(record: ServiceRecord) -> Keys:
    """Return a service's keys; Azure's 400 where it takes none."""
    if not record.document.get("authEnabled"):
        raise bad_request(
            "AuthNotEnabled", f"Key authentication is off for {record.name}."
        )
    return record.keys


def regenerate(
    book: ServiceBook, name: str, which: str, value: str | None
) -> ServiceOperation:
    """Start to replace the primary or secondary key, by `value` where one is given."""
    record = book.idle(name)
    keys = key_of(record)
    if which not in {"Primary", "Secondary"}:
        raise bad_request("InvalidKeyType", "keyType must be Primary or Secondary.")
    replacement = value or new_key()

    def finish(ending: Ending) -> None:
        if succeeded(ending):
            setattr(keys, which.lower(), replacement)

    return book.begin(record, regeneration(record.state), finish)


def token_of(world: World, record: ServiceRecord) -> dict[str, object]:
    """Return a new token; Azure's 400 where the service takes none.

    Its times are the wall's, which is what a client compares them with.
    """
    if not record.document.get("aadAuthEnabled"):
        raise bad_request(
            "TokenAuthNotEnabled", f"Token authentication is off for {record.name}."
        )
    now = int(world.clock.wall())
    return {
        "accessToken": world.part(IssuedTokens).issue(record.id),
        "tokenType": "Bearer",
        "refreshAfter": now + _REFRESH_SECONDS,
        "expiryOn": now + _TOKEN_SECONDS,
    }


def admit(world: World, record: ServiceRecord, authorization: str) -> None:
    """Let a scoring request pass; 401 without the key or token that is needed."""
    document = record.document
    if not document.get("authEnabled") and not document.get("aadAuthEnabled"):
        return
    given = authorization.removeprefix(_SCHEME)
    if document.get("aadAuthEnabled"):
        is_good = world.part(IssuedTokens).admits(given, record.id)
    else:
        keys = (record.keys.primary, record.keys.secondary)
        is_good = any(hmac.compare_digest(given.encode(), k.encode()) for k in keys)
    if not is_good or not authorization.startswith(_SCHEME):
        raise AzureError(401, "Unauthorized", "Access denied: key or token missing.")
