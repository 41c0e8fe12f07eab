"""What every use case needs, wired once by the composition root."""

from dataclasses import dataclass, field

from app.core.clock import Clock, Ids
from app.core.credential import CredentialDeclarations
from app.core.declared_secret import SecretDeclarations
from app.storage.cipher import Cipher
from app.storage.database import Database
from app.storage.notifications import Listener
from app.webhooks.addresses import AddressPolicy


@dataclass(frozen=True, kw_only=True, slots=True)
class Context:
    """The process's own parts; `base_url` begins the links in events."""

    database: Database
    listener: Listener
    clock: Clock
    ids: Ids
    cipher: Cipher
    address_policy: AddressPolicy
    base_url: str
    local_stores: tuple[str, ...] = ()
    local_enabled: bool = False
    credentials: CredentialDeclarations = field(
        default_factory=lambda: CredentialDeclarations(by_name={})
    )
    declared_secrets: SecretDeclarations = field(
        default_factory=lambda: SecretDeclarations(by_name={})
    )
