"""Why a sign-in at Azure failed: its AADSTS code, in words, and what mends it."""

import re
from collections.abc import Mapping

from app.core.credential import AnyCredential
from app.core.failure import Blame, Evidence, Failure, FailureCode, TargetError
from app.targets.plain_text import plain_text

_LONGEST_CAUSE = 1000  # characters
_CODE = re.compile(r"\bAADSTS\d{4,7}\b")
_IDS = re.compile(r"(?:Trace|Correlation) ID:\s*([0-9a-fA-F-]{36})")
# Codes as Microsoft Entra documents them (reference-error-codes).
_REMEDIES: Mapping[str, str] = {
    "AADSTS7000215": "Put the secret's value, not its id, where the declaration of "
    "the credential says.",
    "AADSTS7000222": "The client secret has expired: make a new one and put it where "
    "the declaration of the credential says.",
    "AADSTS700016": "Check `client_id` and `tenant_id` of the credential: the tenant "
    "has no such application.",
    "AADSTS90002": "Check `tenant_id` of the credential: there is no such tenant in "
    "this cloud.",
    "AADSTS700027": "Register the certificate with the application, or declare the "
    "one that is registered.",
    "AADSTS700024": "Check the clock of the worker's machine and the certificate's "
    "validity.",
    "AADSTS70021": "Add a federated credential with this issuer and subject to the "
    "application or identity.",
    "AADSTS700213": "Add a federated credential with this subject to the application "
    "or identity.",
    "AADSTS7000112": "Enable the application in Microsoft Entra.",
    "AADSTS53003": "A conditional access policy blocks this sign-in; ask the tenant's "
    "administrator to exempt the workload.",
}
_TRANSIENT = frozenset({"AADSTS90033", "AADSTS50196", "AADSTS90012"})
_OTHERWISE = (
    "Check the declaration of the credential in SLIPWAY_CREDENTIALS against the "
    "`cause`, and that the worker reaches the sign-in host."
)
_UNREACHED = (
    "Check that the worker reaches the sign-in host: HTTPS_PROXY, REQUESTS_CA_BUNDLE, "
    "SSL_CERT_FILE, firewall."
)
_NOTHING_FOUND = (
    "Give the worker a managed or workload identity, or declare a credential in "
    "SLIPWAY_CREDENTIALS and name it in the workspace."
)


def sign_in_failed(name: str, declared: AnyCredential, error: Exception) -> TargetError:
    """Return the error for a sign-in with `name`; transient if nobody was reached."""
    text = plain_text(str(error), longest=_LONGEST_CAUSE)
    found = _CODE.search(text)
    code = found.group() if found else None
    is_transient = code in _TRANSIENT or _was_not_reached(error)
    return TargetError(
        Failure(
            code=FailureCode.CREDENTIAL_FAILED,
            message=f"The sign-in with the credential {name!r} failed.",
            cause=text or type(error).__name__,
            remedy=_remedy(code, declared, error),
            retryable=True,
            blame=Blame.AZURE if is_transient else Blame.SLIPWAY,
            evidence=Evidence(
                azure_code=code, correlation_ids=tuple(_IDS.findall(str(error)))
            ),
        ),
        transient=is_transient,
    )


def undeclared(name: str) -> TargetError:
    """Return the error for a workspace whose credential the settings do not have."""
    return _permanent(
        f"No credential {name!r} is declared.",
        "Declare it in SLIPWAY_CREDENTIALS of the worker and the API, or name "
        "another one in the workspace.",
    )


def not_granted(name: str) -> TargetError:
    """Return the error for a workspace outside of its credential's scopes."""
    return _permanent(
        f"The credential {name!r} is not declared for this workspace's scope.",
        "Add the subscription, resource group or workspace to `scopes` of the "
        "credential, or name another one in the workspace.",
    )


def _permanent(message: str, remedy: str) -> TargetError:
    return TargetError(
        Failure(
            code=FailureCode.CREDENTIAL_FAILED,
            message=message,
            remedy=remedy,
            retryable=True,
            blame=Blame.SLIPWAY,
        )
    )


def _was_not_reached(error: Exception) -> bool:
    # By name, for azure-core is loaded by those who sign in and not here.
    kinds = {kind.__name__ for kind in type(error).__mro__}
    return bool(kinds & {"ServiceRequestError", "ServiceResponseError", "TimeoutError"})


def _remedy(code: str | None, declared: AnyCredential, error: Exception) -> str:
    if code is not None:
        return _REMEDIES.get(code, _OTHERWISE)
    if _was_not_reached(error):
        return _UNREACHED
    if declared.kind in {"default", "managed_identity", "workload_identity"}:
        return _NOTHING_FOUND
    return _OTHERWISE
