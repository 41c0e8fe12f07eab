"""Secrets at rest: encrypted for one place, and keys known only by a fingerprint."""

import base64
import hashlib
import hmac
import struct
from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from app.core.errors import AppError, OperatorError

# A root secret is made of 256 random bits, which take at least this many characters.
SHORTEST_ROOT_SECRET = 32

# What a key is for goes into its derivation: none serves two ends. The number moves
# with the format, never alone.
_ENCRYPTION = b"slipway/encryption-at-rest/1"
_FINGERPRINT = b"slipway/key-fingerprint/1"
_SECRET_FINGERPRINT = b"slipway/secret-fingerprint/1"

_LENGTH = struct.Struct(">I")


class SecretUnreadableError(AppError):
    """A stored secret that no root secret decrypts, or that belongs elsewhere."""

    code = "secret_unreadable"
    title = "A stored secret cannot be read"
    remedy = (
        "Start Slipway with the root secret that was in use when it was stored, after "
        "the present one; or set the secret anew."
    )


class Cipher:
    """Encrypts with the first root secret and reads what any of them encrypted.

    So a root secret is replaced by putting the new one first, and the old one goes
    once nothing is left that needs it. Keys are derived by HKDF-SHA-256 (RFC 5869).
    """

    def __init__(self, root_secrets: Sequence[str]) -> None:
        if not root_secrets:
            raise OperatorError("There is no root secret to encrypt with.")
        if any(len(secret) < SHORTEST_ROOT_SECRET for secret in root_secrets):
            raise OperatorError(
                f"A root secret has fewer than {SHORTEST_ROOT_SECRET} characters.",
                remedy="Make one with `openssl rand -base64 32`.",
            )
        self._fernet = MultiFernet(
            [
                Fernet(base64.urlsafe_b64encode(_derive(secret, _ENCRYPTION)))
                for secret in root_secrets
            ]
        )
        self._fingerprint_keys = [
            _derive(secret, _FINGERPRINT) for secret in root_secrets
        ]
        self._secret_fingerprint_keys = [
            _derive(secret, _SECRET_FINGERPRINT) for secret in root_secrets
        ]

    def encrypt(self, context: str, plaintext: bytes) -> bytes:
        """Return `plaintext` encrypted, authenticated and bound to `context`.

        `context` names the one place where it belongs, as in `webhook:<id>:secret`;
        it is not secret. Each call gives another token.
        """
        name = context.encode()
        return self._fernet.encrypt(_LENGTH.pack(len(name)) + name + plaintext)

    def decrypt(self, context: str, token: bytes) -> bytes:
        """Return what was encrypted for `context`.

        Raise `SecretUnreadableError` if no root secret fits, if the token was changed,
        or if it was made for another place, as after two rows were swapped.
        """
        try:
            framed = self._fernet.decrypt(token)
        except InvalidToken as error:
            raise SecretUnreadableError(
                "No root secret fits a stored secret, or it was changed."
            ) from error
        name = context.encode()
        prefix = _LENGTH.pack(len(name)) + name
        if not framed.startswith(prefix):
            raise SecretUnreadableError(
                "A stored secret belongs to another record than the one it stands in.",
                remedy="Restore the database from a backup, or set the secret anew.",
            )
        return framed[len(prefix) :]

    def fingerprint(self, secret: str) -> str:
        """Return the HMAC-SHA-256 under which a new key is stored, in hex.

        Only for keys of 256 random bits: those need no slow hash. Looking one up by
        its fingerprint tells nothing by its timing without the root secret.
        """
        return self.fingerprints(secret)[0]

    def fingerprints(self, secret: str) -> list[str]:
        """Return the fingerprints by which a key may be stored, the newest first."""
        return [
            hmac.digest(key, secret.encode(), hashlib.sha256).hex()
            for key in self._fingerprint_keys
        ]

    def secret_fingerprints(self, context: str, secret: str) -> list[str]:
        """Return the fingerprints of a secret of any strength, the newest first.

        Equal secrets have equal ones in one place alone, which `context` names. Whoever
        lacks the root secret cannot even check a guess.
        """
        name = context.encode()
        framed = _LENGTH.pack(len(name)) + name + secret.encode()
        return [
            hmac.digest(key, framed, hashlib.sha256).hex()
            for key in self._secret_fingerprint_keys
        ]


def _derive(root_secret: str, purpose: bytes) -> bytes:
    derivation = HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose)
    return derivation.derive(root_secret.encode())
