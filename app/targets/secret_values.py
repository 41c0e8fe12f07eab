"""What declared secrets stand for: read in the worker, from where the operator put it.

A Key Vault is asked over REST with the declared credential's token, which goes to the
vault that the operator named and nowhere else.
"""

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import urlsplit

import httpx

from app.core.clock import Clock
from app.core.declared_secret import (
    EnvironmentSecret,
    FileSecret,
    KeyVaultSecret,
    SecretDeclarations,
)
from app.core.failure import Blame, Evidence, Failure, FailureCode, TargetError
from app.core.workspace import Cloud
from app.targets.azure_answer import (
    Answer,
    BadAnswerError,
    bounded,
    correlation_ids,
    parsed,
)
from app.targets.azure_cloud import HOSTS
from app.targets.references import UnreadableReferenceError, referred
from app.targets.tokens import ScopedTokens

_API_VERSION = "7.4"
_CALL_SECONDS = 15.0
# Long enough for one operation's steps, short enough for a rotation.
_KEPT_SECONDS = 60.0
_ASK_AGAIN = frozenset(
    {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.REQUEST_TIMEOUT}
    | {status for status in HTTPStatus if status >= HTTPStatus.INTERNAL_SERVER_ERROR}
)
_NO_ROLE = (
    "the Key Vault refused the credential",
    "Grant its identity Key Vault Secrets User, and check the vault's network rules.",
)
_REFUSALS: Mapping[int, tuple[str, str]] = {
    401: _NO_ROLE,
    403: _NO_ROLE,
    404: (
        "the Key Vault has no such secret",
        "Check `secret` and `version` of its declaration.",
    ),
}


@dataclass(frozen=True, slots=True, repr=False)
class _Kept:
    value: str
    until: float


class DeclaredSecrets:
    """Reads declared secrets; a vault's are kept in memory for a minute."""

    def __init__(
        self,
        declared: SecretDeclarations,
        *,
        tokens: ScopedTokens,
        client: httpx.AsyncClient,
        clock: Clock,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self._declared = declared
        self._tokens = tokens
        self._client = client
        self._clock = clock
        self._environ = environ
        self._kept: dict[str, _Kept] = {}

    async def value(self, name: str, *, project: str) -> str:
        """Return what the declared secret `name` stands for just now.

        Raises TargetError: `secret_unavailable`.
        """
        if not self._declared.is_granted_to(name, project):
            raise _unavailable(
                name,
                "it is not declared for this project",
                remedy="Declare it in SLIPWAY_SECRETS of the worker and the API, with "
                "the project among its `projects`.",
            )
        match self._declared.by_name[name]:
            case EnvironmentSecret() | FileSecret() as reference:
                return await asyncio.to_thread(self._read, name, reference)
            case KeyVaultSecret() as reference:
                return await self._remembered(name, reference)

    def _read(self, name: str, reference: EnvironmentSecret | FileSecret) -> str:
        try:
            return referred(reference, self._environ).decode()
        except UnreadableReferenceError as error:
            raise _unavailable(name, str(error)) from error
        except UnicodeDecodeError:
            # Its text holds the bytes.
            raise _unavailable(name, "it is not text") from None

    async def _remembered(self, name: str, reference: KeyVaultSecret) -> str:
        kept = self._kept.get(name)
        now = self._clock.monotonic()
        if kept is None or kept.until <= now:
            value = await self._fetched(name, reference)
            kept = self._kept[name] = _Kept(value, now + _KEPT_SECONDS)
        return kept.value

    async def _fetched(self, name: str, reference: KeyVaultSecret) -> str:
        cloud = _cloud_of(reference.vault)
        scope = HOSTS[cloud].vault_scope
        token = await self._tokens.scoped_token(reference.credential, cloud, scope)
        try:
            answer = await self._asked(reference, token.value)
        except (httpx.HTTPError, BadAnswerError, TimeoutError) as error:
            cause = f"the Key Vault did not answer ({type(error).__name__})"
            raise _unavailable(name, cause, transient=True) from error
        body = answer.body if isinstance(answer.body, dict) else {}
        value = body.get("value")
        if answer.is_success and isinstance(value, str) and value:
            return value
        raise _refused(name, answer)

    async def _asked(self, reference: KeyVaultSecret, token: str) -> Answer:
        version = f"/{reference.version}" if reference.version else ""
        async with (
            asyncio.timeout(_CALL_SECONDS),
            self._client.stream(
                "GET",
                f"{reference.vault}/secrets/{reference.secret}{version}",
                params={"api-version": _API_VERSION},
                headers={"authorization": f"Bearer {token}"},
            ) as response,
        ):
            content = await bounded(response.aiter_bytes())
            headers = {name.lower(): text for name, text in response.headers.items()}
            body = parsed(content) if response.is_success else None
            return Answer(
                status=response.status_code,
                body=body,
                headers=headers,
                correlation_ids=correlation_ids(headers, None),
            )


def _cloud_of(vault: str) -> Cloud:
    """Return the cloud of a vault's URL, which the settings have checked."""
    host = urlsplit(vault).hostname or ""
    return next(cloud for cloud, hosts in HOSTS.items() if host.endswith(hosts.vaults))


def _refused(name: str, answer: Answer) -> TargetError:
    otherwise = (f"the Key Vault answered {answer.status}", None)
    cause, remedy = _REFUSALS.get(answer.status, otherwise)
    return _unavailable(
        name,
        cause,
        remedy=remedy,
        transient=answer.status in _ASK_AGAIN,
        evidence=Evidence(correlation_ids=answer.correlation_ids),
    )


def _unavailable(
    name: str,
    cause: str,
    *,
    remedy: str | None = None,
    transient: bool = False,
    evidence: Evidence | None = None,
) -> TargetError:
    return TargetError(
        Failure(
            code=FailureCode.SECRET_UNAVAILABLE,
            message=f"The declared secret {name!r} could not be read.",
            cause=f"{cause}.",
            remedy=remedy
            or "Correct where it stands, or its declaration in "
            "SLIPWAY_SECRETS of the worker, and retry the operation.",
            retryable=True,
            blame=Blame.SLIPWAY,
            evidence=evidence or Evidence(),
        ),
        transient=transient,
    )
