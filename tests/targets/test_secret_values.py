"""What declared secrets stand for: environment, files, and a Key Vault over REST."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from app.core.declared_secret import (
    AnyDeclaredSecret,
    EnvironmentSecret,
    FileSecret,
    KeyVaultSecret,
    SecretDeclarations,
)
from app.core.failure import FailureCode, TargetError
from app.core.workspace import Cloud
from app.targets.azure_transport import azure_client
from app.targets.secret_values import DeclaredSecrets
from app.targets.tokens import AccessToken
from tests.targets.azure import FakeClock

NAME = "tls-key"
VAULT = "https://team.vault.azure.net"
IN_VAULT = KeyVaultSecret(
    kind="key_vault", vault=VAULT, secret=NAME, credential="vaults"
)


@dataclass
class FakeScopedTokens:
    """Tokens that say for whom and for what they are."""

    asked: list[tuple[str, Cloud, str]] = field(default_factory=list)

    async def scoped_token(
        self, credential: str, cloud: Cloud, scope: str
    ) -> AccessToken:
        self.asked.append((credential, cloud, scope))
        return AccessToken(value=f"token-for-{scope}", expires_at=9e9)


@dataclass
class House:
    """Declared secrets over a vault that a test makes up."""

    secrets: DeclaredSecrets
    tokens: FakeScopedTokens
    clock: FakeClock
    environ: dict[str, str]
    asked: list[httpx.Request]

    async def read(self, *, project: str = "fraud") -> str:
        return await self.secrets.value("key", project=project)

    async def refusal(self, *, project: str = "fraud") -> TargetError:
        with pytest.raises(TargetError) as caught:
            await self.read(project=project)
        assert caught.value.failure.code is FailureCode.SECRET_UNAVAILABLE
        return caught.value


def housed(
    declared: AnyDeclaredSecret,
    answer: Callable[[httpx.Request], httpx.Response] | None = None,
) -> House:
    asked: list[httpx.Request] = []

    def answered(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        assert answer is not None
        return answer(request)

    tokens, clock, environ = FakeScopedTokens(), FakeClock(), {"TLS_KEY": "from-env"}
    secrets = DeclaredSecrets(
        SecretDeclarations(by_name={"key": declared}),
        tokens=tokens,
        client=azure_client(transport=httpx.MockTransport(answered)),
        clock=clock,
        environ=environ,
    )
    return House(secrets, tokens, clock, environ, asked)


async def test_a_variable_is_read_anew_each_time() -> None:
    house = housed(EnvironmentSecret(kind="environment", variable="TLS_KEY"))
    assert await house.read() == "from-env"

    house.environ["TLS_KEY"] = "rotated"
    assert await house.read() == "rotated"

    del house.environ["TLS_KEY"]
    assert "TLS_KEY" in ((await house.refusal()).failure.cause or "")


async def test_a_file_is_read_without_its_last_line_break(tmp_path: Path) -> None:
    file = tmp_path / "tls.pem"
    file.write_text("-----BEGIN\nkey\n")
    house = housed(FileSecret(kind="file", path=str(file)))

    assert await house.read() == "-----BEGIN\nkey"


@pytest.mark.parametrize("content", [None, b"", b"\n", b"\xff\xfe", b"x" * 200_000])
async def test_a_file_that_holds_no_secret_is_told_by_its_place(
    tmp_path: Path, content: bytes | None
) -> None:
    file = tmp_path / "tls.pem"
    if content is not None:
        file.write_bytes(content)
    house = housed(FileSecret(kind="file", path=str(file)))

    error = await house.refusal()

    assert not error.transient
    assert "\\xff" not in repr(error.failure)


async def test_a_secret_of_another_project_is_not_read() -> None:
    house = housed(
        EnvironmentSecret(kind="environment", variable="TLS_KEY", projects=("fraud",))
    )

    assert await house.read(project="fraud") == "from-env"
    error = await house.refusal(project="churn")

    assert "from-env" not in repr(error.failure)


async def test_a_vault_is_asked_with_a_token_for_vaults() -> None:
    house = housed(IN_VAULT, lambda _: httpx.Response(200, json={"value": "s3cret"}))

    assert await house.read() == "s3cret"

    (request,) = house.asked
    assert str(request.url) == f"{VAULT}/secrets/tls-key?api-version=7.4"
    assert request.headers["authorization"] == (
        "Bearer token-for-https://vault.azure.net/.default"
    )
    assert house.tokens.asked == [
        ("vaults", "AzureCloud", "https://vault.azure.net/.default")
    ]


async def test_a_vault_is_asked_once_a_minute() -> None:
    house = housed(IN_VAULT, lambda _: httpx.Response(200, json={"value": "s3cret"}))

    for _ in range(5):
        await house.read()
    assert len(house.asked) == 1

    house.clock.seconds += 61
    await house.read()
    assert len(house.asked) == 2


@pytest.mark.parametrize(
    ("answer", "told", "is_transient"),
    [
        (httpx.Response(403, json={"error": {}}), "refused the credential", False),
        (httpx.Response(404, json={"error": {}}), "no such secret", False),
        (httpx.Response(429, json={}), "answered 429", True),
        (httpx.Response(503, text="<html>"), "answered 503", True),
        (httpx.Response(200, text="<html>"), "did not answer", True),
        (httpx.Response(200, json={"value": ""}), "answered 200", False),
        (httpx.Response(200, json=["s3cret"]), "answered 200", False),
    ],
)
async def test_what_a_vault_refuses_is_told_and_never_any_of_it(
    answer: httpx.Response, told: str, *, is_transient: bool
) -> None:
    house = housed(IN_VAULT, lambda _: answer)

    error = await house.refusal()

    assert told in (error.failure.cause or "")
    assert error.transient is is_transient
    assert "s3cret" not in repr(error.failure)


async def test_a_vault_that_leads_elsewhere_is_not_followed() -> None:
    away = httpx.Response(302, headers={"location": "https://attacker.example/"})
    house = housed(IN_VAULT, lambda _: away)

    await house.refusal()

    assert [request.url.host for request in house.asked] == ["team.vault.azure.net"]
