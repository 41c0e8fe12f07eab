"""Every kind of credential signs in by the real azure-identity."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

from app.core.clock import SystemClock
from app.core.credential import (
    AnyCredential,
    ClientCertificateCredential,
    DefaultCredential,
    EnvironmentCredential,
    FileReference,
    ManagedIdentityCredential,
    WorkloadIdentityCredential,
)
from app.core.failure import FailureCode, TargetError
from app.core.workspace import AzureMlWorkspace
from app.simulator.server import Simulator
from app.simulator.world import CLIENT_ID, CLIENT_SECRET
from app.targets.azure_paths import azure_identity
from app.targets.azure_tokens import AzureTokens
from tests.simulating import running_simulator
from tests.targets.azure import (
    lead_to,
    signing_in,
    simulated,
    workspace_at,
)

SECRETS = {"SECRET": CLIENT_SECRET, "OTHER_SECRET": "another-secret"}


def at(simulator: Simulator, credential: str = "default") -> AzureMlWorkspace:
    return azure_identity(workspace_at(simulated(simulator), credential=credential))


def environment(simulator: Simulator) -> Mapping[str, str]:
    return {**simulator.environment(), **SECRETS}


async def failure_of(tokens: AzureTokens, workspace: AzureMlWorkspace) -> TargetError:
    with pytest.raises(TargetError) as caught:
        await tokens.token(workspace)
    assert caught.value.failure.code is FailureCode.CREDENTIAL_FAILED
    return caught.value


@pytest.mark.parametrize(
    "credential",
    [DefaultCredential(), EnvironmentCredential(kind="environment")],
    ids=["default", "environment"],
)
async def test_the_environment_signs_in(
    monkeypatch: pytest.MonkeyPatch, credential: AnyCredential
) -> None:
    async with running_simulator() as simulator:
        lead_to(simulator, monkeypatch)
        async with signing_in(
            {"default": credential}, environment(simulator)
        ) as tokens:
            assert (await tokens.token(at(simulator))).value


async def test_a_federated_token_of_a_pod_signs_in(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    federated = tmp_path / "token"
    federated.write_text("a.service.account")
    async with running_simulator() as simulator:
        lead_to(simulator, monkeypatch)
        credential = WorkloadIdentityCredential(
            kind="workload_identity",
            tenant_id=simulator.world.tenant,
            client_id=CLIENT_ID,
            token_file=str(federated),
        )
        async with signing_in(
            {"default": credential}, environment(simulator)
        ) as tokens:
            assert (await tokens.token(at(simulator))).value


async def test_the_machines_own_identity_signs_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with running_simulator() as simulator:
        lead_to(simulator, monkeypatch)
        credential = ManagedIdentityCredential(kind="managed_identity")
        async with signing_in(
            {"default": credential}, environment(simulator)
        ) as tokens:
            assert (await tokens.token(at(simulator))).value


async def test_a_certificate_signs_in(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pem = tmp_path / "slipway.pem"
    pem.write_bytes(_certificate())
    async with running_simulator() as simulator:
        lead_to(simulator, monkeypatch)
        credential = ClientCertificateCredential(
            kind="client_certificate",
            tenant_id=simulator.world.tenant,
            client_id=CLIENT_ID,
            certificate=FileReference(kind="file", path=str(pem)),
        )
        async with signing_in(
            {"default": credential}, environment(simulator)
        ) as tokens:
            assert (await tokens.token(at(simulator))).value


def _certificate() -> bytes:
    """A self-signed certificate with its private key, as an operator makes one."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "slipway")])
    now = SystemClock().now()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(Encoding.PEM) + key.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )


async def test_a_certificate_that_is_not_there_is_told_by_its_place(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with running_simulator() as simulator:
        lead_to(simulator, monkeypatch)
        credential = ClientCertificateCredential(
            kind="client_certificate",
            tenant_id=simulator.world.tenant,
            client_id=CLIENT_ID,
            certificate=FileReference(kind="file", path="/nowhere/slipway.pem"),
        )
        async with signing_in(
            {"default": credential}, environment(simulator)
        ) as tokens:
            error = await failure_of(tokens, at(simulator))

            assert "/nowhere/slipway.pem" in (error.failure.cause or "")
