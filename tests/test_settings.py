"""What the operator declares: read from JSON or a file, refused by its place."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from app.core.credential import (
    ClientSecretCredential,
    DefaultCredential,
    EnvironmentReference,
)
from app.core.declared_secret import FileSecret, KeyVaultSecret
from app.settings import Settings

CLIENT_SECRET: dict[str, Any] = {
    "kind": "client_secret",
    "tenant_id": "22222222-2222-4333-8444-555555555555",
    "client_id": "33333333-2222-4333-8444-555555555555",
    "client_secret": {"kind": "environment", "variable": "PROD_SECRET"},
    "projects": ["fraud"],
    "scopes": ["/subscriptions/11111111-2222-4333-8444-555555555555"],
}
VAULT = {
    "kind": "key_vault",
    "vault": "https://team.vault.azure.net",
    "secret": "tls-key",
}


def read(monkeypatch: pytest.MonkeyPatch, **variables: object) -> Settings:
    """The settings of a process with these SLIPWAY_ variables."""
    for name, value in variables.items():
        text = value if isinstance(value, str) else json.dumps(value)
        monkeypatch.setenv(f"SLIPWAY_{name}", text)
    return Settings()


def refusal(monkeypatch: pytest.MonkeyPatch, **variables: object) -> str:
    with pytest.raises(ValidationError) as refused:
        read(monkeypatch, **variables)
    return str(refused.value)


def test_credentials_are_read_from_json(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = read(monkeypatch, CREDENTIALS={"prod": CLIENT_SECRET})

    declared = settings.credential_declarations.by_name["prod"]
    assert isinstance(declared, ClientSecretCredential)
    assert declared.client_secret == EnvironmentReference(
        kind="environment", variable="PROD_SECRET"
    )
    assert declared.projects == ("fraud",)


def test_credentials_are_read_from_a_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "credentials.json"
    file.write_text(json.dumps({"prod": {"kind": "managed_identity"}}))

    settings = read(monkeypatch, CREDENTIALS=str(file))

    assert settings.credential_declarations.names_for("any") == ("prod",)


@pytest.mark.parametrize(
    "credential",
    [
        {"kind": "default"},
        {"kind": "environment"},
        {"kind": "managed_identity", "client_id": "c"},
        {"kind": "workload_identity", "tenant_id": "t", "token_file": "/var/token"},
        {
            "kind": "client_certificate",
            "tenant_id": "t",
            "client_id": "c",
            "certificate": {"kind": "file", "path": "/etc/slipway.pem"},
            "password": {"kind": "environment", "variable": "PASSWORD"},
        },
    ],
    ids=lambda credential: credential["kind"],
)
def test_every_kind_of_credential_can_be_declared(
    monkeypatch: pytest.MonkeyPatch, credential: dict[str, object]
) -> None:
    settings = read(monkeypatch, CREDENTIALS={"one": credential})

    assert settings.credentials["one"].kind == credential["kind"]


def test_secrets_are_read_with_whoever_may_use_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tls = {"kind": "file", "path": "/run/secrets/tls", "projects": ["fraud"]}

    settings = read(monkeypatch, SECRETS={"tls": tls, "vault-key": VAULT})

    declared = settings.secret_declarations
    assert isinstance(declared.by_name["tls"], FileSecret)
    assert isinstance(declared.by_name["vault-key"], KeyVaultSecret)
    assert declared.names_for("churn") == ("vault-key",)


def test_default_is_declared_where_it_is_turned_on_and_can_be_replaced() -> None:
    off = Settings()
    on = off.model_copy(update={"default_credential": True})
    replaced = Settings(
        credentials={"default": DefaultCredential(projects=("fraud",))},
        default_credential=True,
    )

    assert off.credential_declarations.by_name == {}
    assert on.credential_declarations.by_name == {"default": DefaultCredential()}
    assert replaced.credential_declarations.names_for("churn") == ()


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ({"prod": {"kind": "password"}}, "prod.kind must be one of"),
        ({"prod": {"tenant_id": "t"}}, "prod.kind is missing"),
        ({"Prod!": {"kind": "default"}}, "String should match pattern"),
        ({"prod": {"kind": "default", "scopes": ["/"]}}, "scopes.0"),
        ({"prod": {**CLIENT_SECRET, "user": 1}}, "user is no field of it"),
        ("{", "is not valid JSON at line 1"),
        ("/nowhere/at-all.json", "the path of a file that can be read"),
    ],
)
def test_a_wrong_credential_is_refused_by_its_place(
    monkeypatch: pytest.MonkeyPatch, value: object, told: str
) -> None:
    assert told in refusal(monkeypatch, CREDENTIALS=value)


@pytest.mark.parametrize(
    "declared",
    [
        {**CLIENT_SECRET, "client_secret": "hunter2-in-the-wrong-place"},
        {**CLIENT_SECRET, "tenant_id": "hunter2-in-the-wrong-place!"},
        {**CLIENT_SECRET, "client_secret": {"kind": "file", "path": "hunter2-in"}},
    ],
)
def test_a_secret_in_the_wrong_place_is_not_repeated(
    monkeypatch: pytest.MonkeyPatch, declared: dict[str, object]
) -> None:
    assert "hunter2" not in refusal(monkeypatch, CREDENTIALS={"prod": declared})


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"vault": "https://team.vault.azure.net.example.com"}, "vault"),
        ({"vault": "http://team.vault.azure.net"}, "vault"),
        ({"secret": "../keys/master"}, "secret"),
        ({"credential": "undeclared"}, "names no credential"),
    ],
)
def test_a_vault_that_is_none_of_azures_is_refused(
    monkeypatch: pytest.MonkeyPatch, wrong: dict[str, str], told: str
) -> None:
    assert told in refusal(monkeypatch, SECRETS={"key": {**VAULT, **wrong}})
