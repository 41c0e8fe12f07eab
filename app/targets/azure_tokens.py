"""Tokens from azure-identity: one sign-in for everybody who needs the same token.

azure-identity is loaded at the first sign-in: a worker without an Azure ML workspace
does without it. Nothing here opens a browser or prints a device code: a server signs
in by itself or says why it cannot.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from importlib import import_module
from typing import Any, NamedTuple

from app.core.clock import Clock, SystemClock
from app.core.credential import CredentialDeclarations
from app.core.workspace import AzureMlWorkspace, Cloud
from app.settings import Settings
from app.targets.azure_cloud import HOSTS
from app.targets.sign_in_failures import not_granted, sign_in_failed, undeclared
from app.targets.tokens import AccessToken

_IDENTITIES = "app.targets.azure_identities"
# A token is replaced this long before it ends: the longest call outlives none.
_MARGIN_SECONDS = 300.0
# Some sign-ins give tokens that end sooner: those are not asked for at each call.
_SHORTEST_USE_SECONDS = 30.0
# azure-identity tries each of a chain's ways in turn, some with retries of their own.
_LONGEST_SIGN_IN_SECONDS = 60.0


class _Key(NamedTuple):
    """What two calls must have in common to be served by one token."""

    credential: str
    cloud: Cloud
    scope: str


class _Held(NamedTuple):
    """A token and when it was got, in seconds since 1970."""

    token: AccessToken
    since: float


class AzureTokens:
    """The declared credentials' tokens, each kept until five minutes before its end."""

    def __init__(
        self,
        declared: CredentialDeclarations,
        *,
        clock: Clock,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self._declared = declared
        self._clock = clock
        self._environ = environ
        self._identities: dict[tuple[str, Cloud], Any] = {}
        self._tokens: dict[_Key, _Held] = {}
        self._sign_ins: dict[tuple[str, Cloud], asyncio.Lock] = {}

    async def token(self, workspace: AzureMlWorkspace) -> AccessToken:
        """Return a token for Azure Resource Manager, good for at least five minutes.

        Less only where a sign-in gives tokens that end sooner than that. Raises
        TargetError: `credential_failed`, with what the sign-in said.
        """
        if not self._declared.has(workspace.credential):
            raise undeclared(workspace.credential)
        if not self._declared.reaches(workspace.credential, workspace.arm_id):
            raise not_granted(workspace.credential)
        scope = HOSTS[workspace.cloud].management_scope
        return await self.scoped_token(workspace.credential, workspace.cloud, scope)

    async def scoped_token(
        self, credential: str, cloud: Cloud, scope: str
    ) -> AccessToken:
        """Return a token of `credential` for `scope`. Raises TargetError."""
        key = _Key(credential, cloud, scope)
        lock = self._sign_ins.setdefault((credential, cloud), asyncio.Lock())
        async with lock:
            held = self._tokens.get(key)
            if held is None or self._is_ending(held):
                token = await self._sign_in(key, anew=held is not None)
                held = _Held(token, self._clock.now().timestamp())
                self._tokens[key] = held
            return held.token

    async def forget(self, workspace: AzureMlWorkspace, rejected: AccessToken) -> None:
        """Make the next `token` a new one, if `rejected` is still the one in use.

        The identity goes too, since it would give the same token from its own memory.
        """
        scope = HOSTS[workspace.cloud].management_scope
        key = _Key(workspace.credential, workspace.cloud, scope)
        lock = self._sign_ins.setdefault((key.credential, key.cloud), asyncio.Lock())
        async with lock:
            held = self._tokens.get(key)
            if held is not None and held.token == rejected:
                del self._tokens[key]
                await self._close((key.credential, key.cloud))

    async def close(self) -> None:
        """Close every connection that sign-ins were made over."""
        for owner in list(self._identities):
            await self._close(owner)

    def _is_ending(self, held: _Held) -> bool:
        now = self._clock.now().timestamp()
        left, used = held.token.expires_at - now, now - held.since
        return left < _MARGIN_SECONDS and (used > _SHORTEST_USE_SECONDS or left <= 0)

    async def _sign_in(self, key: _Key, *, anew: bool) -> AccessToken:
        """Sign in; `anew` past azure-identity's own memory, which keeps old tokens."""
        if anew:
            await self._close((key.credential, key.cloud))
        declared = self._declared.by_name.get(key.credential)
        if declared is None:
            raise undeclared(key.credential)
        identities = await asyncio.to_thread(import_module, _IDENTITIES)
        owner = (key.credential, key.cloud)
        try:
            if owner not in self._identities:
                self._identities[owner] = identities.identity(
                    declared,
                    authority=HOSTS[key.cloud].authority,
                    environ=self._environ,
                )
            async with asyncio.timeout(_LONGEST_SIGN_IN_SECONDS):
                token = await self._identities[owner].get_token(key.scope)
        except identities.SIGN_IN_ERRORS as error:
            # The next try reads the credential anew: it may have been rotated.
            await self._close(owner)
            raise sign_in_failed(key.credential, declared, error) from error
        return AccessToken(value=token.token, expires_at=float(token.expires_on))

    async def _close(self, owner: tuple[str, Cloud]) -> None:
        identity = self._identities.pop(owner, None)
        if identity is not None:
            await identity.close()


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[AzureTokens]:
    """Yield the tokens of the credentials that the settings declare."""
    tokens = AzureTokens(settings.credential_declarations, clock=SystemClock())
    try:
        yield tokens
    finally:
        await tokens.close()
