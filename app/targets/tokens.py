"""What targets ask for a bearer token; how one is got is a matter of the settings."""

from dataclasses import dataclass
from typing import Protocol

from app.core.workspace import AzureMlWorkspace, Cloud


@dataclass(frozen=True, kw_only=True, slots=True, repr=False)
class AccessToken:
    """A bearer token for Azure Resource Manager; `expires_at` is seconds since 1970."""

    value: str
    expires_at: float


class TokenSource(Protocol):
    """Whatever signs in with the credential that a workspace names."""

    async def token(self, workspace: AzureMlWorkspace) -> AccessToken:
        """Return a token that is good for at least five minutes.

        Raises TargetError: `credential_failed`, with what the sign-in said.
        """
        ...


class RevocableTokens(TokenSource, Protocol):
    """A token source that can be told of a token which Azure no longer takes."""

    async def forget(self, workspace: AzureMlWorkspace, rejected: AccessToken) -> None:
        """Make the next `token` a new one, if `rejected` is still the one in use."""
        ...


class ScopedTokens(Protocol):
    """Tokens of a declared credential for something else than Resource Manager."""

    async def scoped_token(
        self, credential: str, cloud: Cloud, scope: str
    ) -> AccessToken:
        """Return a token of `credential` for `scope`. Raises TargetError."""
        ...
