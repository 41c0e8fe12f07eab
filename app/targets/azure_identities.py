"""azure-identity's credentials, made as the operator declared them.

The only module that imports azure-identity: 0.5 s and 35 MB, spent at the first
sign-in.
"""

from collections.abc import Mapping
from typing import Any, assert_never

from azure.core.exceptions import AzureError
from azure.identity import aio

from app.core.credential import (
    AnyCredential,
    ClientCertificateCredential,
    ClientSecretCredential,
    DefaultCredential,
    EnvironmentCredential,
    ManagedIdentityCredential,
    WorkloadIdentityCredential,
)
from app.targets.references import UnreadableReferenceError, referred

# What `get_token` raises; ClientAuthenticationError and CredentialUnavailableError
# are among the first.
SIGN_IN_ERRORS: tuple[type[Exception], ...] = (
    AzureError,
    UnreadableReferenceError,
    TimeoutError,
    OSError,
    ValueError,
)

# Azure's own retries would hold everybody who waits for this token for minutes.
_RETRIES = 2
_CONNECT_SECONDS = 10
_READ_SECONDS = 20


def identity(
    declared: AnyCredential, *, authority: str, environ: Mapping[str, str]
) -> Any:  # noqa: ANN401 - azure-identity's credentials share no public type
    """Return a credential with `get_token` and `close`, for one cloud's authority.

    Raises one of SIGN_IN_ERRORS if what it refers to is not there.
    """
    options = {**_options(environ), "authority": authority}
    match declared:
        case DefaultCredential():
            return _default(options)
        case EnvironmentCredential():
            return aio.EnvironmentCredential(**options)
        case ManagedIdentityCredential():
            return aio.ManagedIdentityCredential(
                client_id=declared.client_id, **_trust(environ)
            )
        case WorkloadIdentityCredential():
            return aio.WorkloadIdentityCredential(
                tenant_id=declared.tenant_id,
                client_id=declared.client_id,
                token_file_path=declared.token_file,
                **options,
            )
        case ClientSecretCredential():
            return aio.ClientSecretCredential(
                declared.tenant_id,
                declared.client_id,
                referred(declared.client_secret, environ).decode(),
                **options,
            )
        case ClientCertificateCredential():
            return _with_certificate(declared, options, environ)
        case _:
            assert_never(declared)


def _default(options: dict[str, Any]) -> Any:  # noqa: ANN401 - see `identity`
    """Return azure-identity's chain without whatever could wait for a person.

    `az` stays: it answers from what somebody signed in with before, or fails.
    """
    return aio.DefaultAzureCredential(
        exclude_shared_token_cache_credential=True,
        exclude_visual_studio_code_credential=True,
        exclude_powershell_credential=True,
        exclude_developer_cli_credential=True,
        **options,
    )


def _with_certificate(
    declared: ClientCertificateCredential,
    options: dict[str, Any],
    environ: Mapping[str, str],
) -> Any:  # noqa: ANN401 - see `identity`
    password = declared.password
    return aio.CertificateCredential(
        declared.tenant_id,
        declared.client_id,
        certificate_data=referred(declared.certificate, environ),
        password=None if password is None else referred(password, environ),
        send_certificate_chain=declared.send_chain,
        **options,
    )


def _options(environ: Mapping[str, str]) -> dict[str, Any]:
    return {
        **_trust(environ),
        "retry_total": _RETRIES,
        "connection_timeout": _CONNECT_SECONDS,
        "read_timeout": _READ_SECONDS,
    }


def _trust(environ: Mapping[str, str]) -> dict[str, Any]:
    """Return the CA bundle to trust: aiohttp reads SSL_CERT_FILE alone by itself."""
    bundle = environ.get("REQUESTS_CA_BUNDLE") or environ.get("SSL_CERT_FILE")
    return {"connection_verify": bundle} if bundle else {}
