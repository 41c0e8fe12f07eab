"""What the operator declared to sign in with at Azure: references, never a secret.

Which project may use which credential, and on what at Azure, is decided here alone,
for the API before a workspace is stored and for the worker before it signs in.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import annotated_types as at

from app.core.option import Matches, ToldApartBy
from app.core.workspace import CREDENTIAL_NAME_PATTERN

_ID_PATTERN = r"^[0-9a-zA-Z][0-9a-zA-Z.-]{0,99}$"
# Down to a subscription, a resource group, or one resource within it.
_SCOPE_PATTERN = (
    r"^/subscriptions/[0-9a-fA-F-]{36}"
    r"(/resource[gG]roups/[A-Za-z0-9_().-]{1,90}(/providers/[A-Za-z0-9_./-]{1,500})?)?$"
)
_NAME_OF_VARIABLE = r"^[A-Za-z_][A-Za-z0-9_]{0,199}$"

CredentialName = Annotated[str, Matches(CREDENTIAL_NAME_PATTERN)]
Identifier = Annotated[str, Matches(_ID_PATTERN)]
ArmScope = Annotated[str, Matches(_SCOPE_PATTERN)]
ProjectName = Annotated[str, at.MinLen(1), at.MaxLen(100)]


@dataclass(frozen=True, kw_only=True, slots=True)
class EnvironmentReference:
    """A secret in an environment variable of the worker."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    kind: Literal["environment"]
    variable: Annotated[str, Matches(_NAME_OF_VARIABLE)]


@dataclass(frozen=True, kw_only=True, slots=True)
class FileReference:
    """A secret in a file of the worker's machine, read anew each time."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    kind: Literal["file"]
    path: Annotated[str, Matches(r"^/")]


LocalReference = Annotated[EnvironmentReference | FileReference, ToldApartBy("kind")]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Declared:
    """Who may use it, and on what at Azure; None is no restriction."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    projects: tuple[ProjectName, ...] | None = None
    scopes: tuple[ArmScope, ...] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class DefaultCredential(_Declared):
    """What signs a server in by itself: environment, workload or managed identity."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    kind: Literal["default"] = "default"


@dataclass(frozen=True, kw_only=True, slots=True)
class EnvironmentCredential(_Declared):
    """The worker's AZURE_TENANT_ID, AZURE_CLIENT_ID and what goes with them."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    kind: Literal["environment"]


@dataclass(frozen=True, kw_only=True, slots=True)
class ManagedIdentityCredential(_Declared):
    """The machine's own identity; `client_id` picks a user-assigned one."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    kind: Literal["managed_identity"]
    client_id: Identifier | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkloadIdentityCredential(_Declared):
    """A Kubernetes service account's federation; None reads the pod's environment."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    kind: Literal["workload_identity"]
    tenant_id: Identifier | None = None
    client_id: Identifier | None = None
    token_file: Annotated[str, Matches(r"^/")] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ClientSecretCredential(_Declared):
    """An application with a secret, which stands where `client_secret` says."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    kind: Literal["client_secret"]
    tenant_id: Identifier
    client_id: Identifier
    client_secret: LocalReference


@dataclass(frozen=True, kw_only=True, slots=True)
class ClientCertificateCredential(_Declared):
    """An application with a certificate: PEM with its private key, or PKCS 12."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    kind: Literal["client_certificate"]
    tenant_id: Identifier
    client_id: Identifier
    certificate: LocalReference
    password: LocalReference | None = None
    send_chain: bool = False


AnyCredential = (
    DefaultCredential
    | EnvironmentCredential
    | ManagedIdentityCredential
    | WorkloadIdentityCredential
    | ClientSecretCredential
    | ClientCertificateCredential
)
Credential = Annotated[AnyCredential, ToldApartBy("kind")]


@dataclass(frozen=True, kw_only=True, slots=True)
class CredentialDeclarations:
    """Every declared credential by name: who may use it and on what, no secrets."""

    by_name: Mapping[str, AnyCredential]

    def has(self, name: str) -> bool:
        """Say whether a credential of this name is declared."""
        return name in self.by_name

    def names_for(self, project: str) -> tuple[str, ...]:
        """Return the names that `project` may use, sorted."""
        return tuple(
            sorted(
                name
                for name, declared in self.by_name.items()
                if declared.projects is None or project in declared.projects
            )
        )

    def is_granted_to(self, name: str, project: str) -> bool:
        """Say whether `project` may use it; nobody may use an undeclared one."""
        return name in self.names_for(project)

    def reaches(self, name: str, arm_id: str) -> bool:
        """Say whether it may be used on `arm_id`: a whole id under one of its scopes.

        Ids compare without regard to case, as Azure Resource Manager's do.
        """
        declared = self.by_name.get(name)
        if declared is None:
            return False
        if declared.scopes is None:
            return True
        return any(_is_under(arm_id, scope) for scope in declared.scopes)


def _is_under(arm_id: str, scope: str) -> bool:
    under, wanted = scope.lower().rstrip("/"), arm_id.lower()
    return wanted == under or wanted.startswith(f"{under}/")
