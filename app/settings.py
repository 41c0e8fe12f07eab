"""Every setting of Slipway, read once at start from SLIPWAY_* and secret files."""

import json
from collections.abc import Iterator, Mapping
from functools import cached_property
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Any

import platformdirs
from pydantic import (
    Field,
    SecretStr,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from app.core.credential import (
    AnyCredential,
    Credential,
    CredentialDeclarations,
    CredentialName,
    DefaultCredential,
)
from app.core.declared_secret import (
    AnyDeclaredSecret,
    DeclaredSecret,
    KeyVaultSecret,
    SecretDeclarations,
    SecretName,
)

# Where orchestrators mount secrets as files, one per setting.
_SECRETS_DIRECTORY = Path("/run/secrets")


def default_data_dir() -> Path:
    """Return the user's state directory; the machine's own for root.

    PostgreSQL refuses to run as root and gets a user of its own, which as a rule
    cannot enter root's home; /var/lib is where services of the machine keep state.
    """
    path = platformdirs.user_state_path("slipway")
    root_home = Path("/root")
    if path.is_relative_to(root_home):
        return Path("/var/lib/slipway")
    return path


class Settings(BaseSettings):
    """What the operator decides; a wrong value stops the process with its name."""

    model_config = SettingsConfigDict(
        env_prefix="SLIPWAY_",
        secrets_dir=_SECRETS_DIRECTORY if _SECRETS_DIRECTORY.is_dir() else None,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
    )

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8080, ge=0, le=65535, description="Port; 0 lets the OS choose.")
    data_dir: Path = Field(
        default_factory=default_data_dir,
        description="Everything that Slipway keeps on this machine.",
    )
    database_url: SecretStr = Field(
        SecretStr(""), description="PostgreSQL URL; empty starts the embedded server."
    )
    public_url: str = Field("", description="How callers reach this service.")
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Origins whose pages may call the API, comma separated."
    )
    webhook_allow_http: bool = Field(
        default=False, description="Allow webhooks to http URLs."
    )
    webhook_allowed_cidrs: Annotated[
        tuple[IPv4Network | IPv6Network, ...], NoDecode
    ] = Field((), description="Inside networks that webhooks may reach.")
    local_stores: Annotated[tuple[Path, ...], NoDecode] = Field(
        (), description="Directories in which a file: or sqlite: store may lie."
    )
    local_enabled: bool | None = Field(
        default=None, description="Target `local`; default: on in `serve` only."
    )
    credentials: Annotated[Mapping[str, AnyCredential], NoDecode] = Field(
        default_factory=dict,
        description=(
            "What workspaces sign in with, by name: a JSON object, or the path of a "
            "file with one. It names where secrets stand and holds none."
        ),
    )
    default_credential: bool | None = Field(
        default=None,
        description="Credential `default`; default: declared in `serve` only.",
    )
    secrets: Annotated[Mapping[str, AnyDeclaredSecret], NoDecode] = Field(
        default_factory=dict,
        description=(
            "Secrets that options may name: a JSON object, or the path of a file "
            "with one. It names where they stand and holds none."
        ),
    )
    encryption_keys: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        (),
        description=(
            "Root secrets, comma separated, the first encrypts; default: one made "
            "in the data directory. `api` and `worker` must share them."
        ),
    )
    log_level: str = Field("INFO", description="DEBUG, INFO, WARNING or ERROR.")
    log_json: bool = Field(default=False, description="Logs as JSON lines.")

    @field_validator(
        "cors_origins",
        "webhook_allowed_cidrs",
        "local_stores",
        "encryption_keys",
        mode="before",
    )
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("credentials", mode="before")
    @classmethod
    def _declare_credentials(cls, value: object) -> object:
        return _declared(value, dict[CredentialName, Credential])

    @field_validator("secrets", mode="before")
    @classmethod
    def _declare_secrets(cls, value: object) -> object:
        return _declared(value, dict[SecretName, DeclaredSecret])

    @field_validator("secrets")
    @classmethod
    def _check_vault_credentials(
        cls, value: Mapping[str, AnyDeclaredSecret], info: ValidationInfo
    ) -> Mapping[str, AnyDeclaredSecret]:
        known = {"default", *info.data.get("credentials", {})}
        for name, secret in value.items():
            if isinstance(secret, KeyVaultSecret) and secret.credential not in known:
                raise ValueError(
                    f"{name}.credential names no credential of SLIPWAY_CREDENTIALS"
                )
        return value

    @cached_property
    def credential_declarations(self) -> CredentialDeclarations:
        """Every declared credential, `default` among them where it is declared."""
        declared = dict(self.credentials)
        if self.default_credential:
            declared.setdefault("default", DefaultCredential())
        return CredentialDeclarations(by_name=declared)

    @cached_property
    def secret_declarations(self) -> SecretDeclarations:
        """Every declared secret: its name, who may use it, and where it stands."""
        return SecretDeclarations(by_name=self.secrets)

    @cached_property
    def is_embedded(self) -> bool:
        """Whether the embedded PostgreSQL is used."""
        return not self.database_url.get_secret_value()

    @cached_property
    def admin_key_file(self) -> Path:
        """Where the first `serve` keeps the admin key for the CLI."""
        return self.data_dir / "admin.key"

    @cached_property
    def mlflow_dir(self) -> Path:
        """The MLflow store of the workspace `local`, which `serve` declares."""
        return self.data_dir / "mlflow"

    def base_url(self) -> str:
        """Return the address for links where no request tells a better one."""
        if self.public_url:
            return self.public_url.rstrip("/")
        return f"http://{self.host}:{self.port}"


def _declared(value: object, kind: Any) -> object:  # noqa: ANN401 - a type form
    """Return the declarations of a JSON text or file; ValueError names the place.

    What is wrong is told by its place and never by its value: people put the secret
    itself where its reference belongs.
    """
    if isinstance(value, str):
        value = _parsed(value.strip())
    try:
        return TypeAdapter(kind).validate_python(value)
    except ValidationError as error:
        raise ValueError("; ".join(_problems(error))) from None


def _parsed(text: str) -> object:
    """Return the JSON that `text` is, or that stands in the file it names."""
    if not text:
        return {}
    if not text.startswith("{"):
        try:
            text = Path(text).read_text(encoding="utf-8")
        except (OSError, ValueError):
            raise ValueError(
                "must be a JSON object, or the path of a file that can be read"
            ) from None
    try:
        return json.loads(text)
    except ValueError as error:
        at = (
            f" at line {error.lineno}"
            if isinstance(error, json.JSONDecodeError)
            else ""
        )
        raise ValueError(f"is not valid JSON{at}") from None


def _problems(error: ValidationError) -> Iterator[str]:
    for problem in error.errors(include_input=False, include_url=False):
        place = ".".join(str(part) for part in problem["loc"])
        match problem["type"]:
            case "union_tag_invalid":
                expected = problem["ctx"]["expected_tags"]
                yield f"{place}.kind must be one of {expected}"
            case "union_tag_not_found":
                yield f"{place}.kind is missing"
            case "unexpected_keyword_argument":
                yield f"{place} is no field of it"
            case _:
                yield f"{place}: {problem['msg']}"
