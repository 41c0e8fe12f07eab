"""Every setting of Slipway, read once at start from SLIPWAY_* and secret files."""

from functools import cached_property
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated

import platformdirs
from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

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
