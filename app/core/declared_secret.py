"""Secrets that the operator declared by name for the options of a deployment.

A caller gives the name; only the worker ever reads what it stands for.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from app.core.credential import CredentialName, ProjectName
from app.core.option import Matches, ToldApartBy
from app.core.secret import SECRET_NAME_PATTERN

# Key Vault's own host names, one suffix for each cloud: a token goes nowhere else.
_VAULT_PATTERN = (
    r"^https://[a-zA-Z][a-zA-Z0-9-]{1,22}[a-zA-Z0-9]"
    r"\.vault\.(azure\.net|azure\.cn|usgovcloudapi\.net)$"
)
SecretName = Annotated[str, Matches(SECRET_NAME_PATTERN)]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Declared:
    """The projects that may use it; None means every one."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    projects: tuple[ProjectName, ...] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class EnvironmentSecret(_Declared):
    """The value of an environment variable of the worker."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    kind: Literal["environment"]
    variable: Annotated[str, Matches(r"^[A-Za-z_][A-Za-z0-9_]{0,199}$")]


@dataclass(frozen=True, kw_only=True, slots=True)
class FileSecret(_Declared):
    """The content of a file of the worker's machine, without a final line break."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    kind: Literal["file"]
    path: Annotated[str, Matches(r"^/")]


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyVaultSecret(_Declared):
    """A secret of an Azure Key Vault, read with the declared `credential`.

    Without `version` it is the latest, so that a rotation needs no restart.
    """

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    kind: Literal["key_vault"]
    vault: Annotated[str, Matches(_VAULT_PATTERN)]
    secret: Annotated[str, Matches(r"^[0-9a-zA-Z-]{1,127}$")]
    version: Annotated[str, Matches(r"^[0-9a-f]{32}$")] | None = None
    credential: CredentialName = "default"


AnyDeclaredSecret = EnvironmentSecret | FileSecret | KeyVaultSecret
DeclaredSecret = Annotated[AnyDeclaredSecret, ToldApartBy("kind")]


@dataclass(frozen=True, kw_only=True, slots=True)
class SecretDeclarations:
    """Every declared secret by name, and who may use it; no values."""

    by_name: Mapping[str, AnyDeclaredSecret]

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
