"""A certificate authority of one run, and a leaf certificate for each name asked."""

import ipaddress
import ssl
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_LEAVES = 2_000


@dataclass(slots=True)
class CertificateAuthority:
    """Signs for the names that `is_ours` admits; its key never leaves the process.

    `folder` gets the CA's certificate as `ca.pem`, and the leaf files that `ssl` can
    read from nowhere else; it must be the caller's alone.
    """

    folder: Path
    wall: float
    _key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )
    _leaf_key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )
    _contexts: dict[str, ssl.SSLContext] = field(default_factory=dict)

    @property
    def pem(self) -> str:
        """The CA's own certificate."""
        return self._certificate.public_bytes(serialization.Encoding.PEM).decode()

    _certificate: x509.Certificate = field(init=False)

    def __post_init__(self) -> None:
        name = _name("Slipway's simulated Azure")
        self._certificate = (
            self._builder(name, name, self._key)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs=True), critical=True)
            .sign(self._key, hashes.SHA256())
        )

    def server_context(self) -> ssl.SSLContext:
        """Return the context to listen with; its leaf is for the name asked for."""
        context = self._context("localhost")
        context.sni_callback = self._choose
        return context

    def _choose(
        self, connection: ssl.SSLObject | ssl.SSLSocket, name: str | None, _: object
    ) -> None:
        if name:
            connection.context = self._context(name.lower())

    def _context(self, name: str) -> ssl.SSLContext:
        if name not in self._contexts:
            if len(self._contexts) >= _LEAVES:
                self._contexts.clear()
            self._contexts[name] = self._make_context(name)
        return self._contexts[name]

    def _make_context(self, name: str) -> ssl.SSLContext:
        file = self.folder / "leaf.pem"
        file.touch(mode=0o600)
        file.write_bytes(
            self._leaf_key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
            + self._leaf(name).public_bytes(serialization.Encoding.PEM)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        file.unlink()
        return context

    def _leaf(self, name: str) -> x509.Certificate:
        # A common name holds 64 characters at most; the name that counts is below.
        subject = _name(name[:64])
        return (
            self._builder(subject, self._certificate.subject, self._leaf_key)
            .add_extension(
                x509.SubjectAlternativeName([*_alternatives(name)]), critical=False
            )
            .add_extension(
                x509.BasicConstraints(ca=False, path_length=None), critical=True
            )
            .add_extension(_usage(signs=False), critical=True)
            .add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]),
                critical=False,
            )
            .sign(self._key, hashes.SHA256())
        )

    def _builder(
        self, subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey
    ) -> x509.CertificateBuilder:
        start = datetime.fromtimestamp(self.wall, UTC)
        own = self._key.public_key()
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(start - timedelta(days=1))
            .not_valid_after(start + timedelta(days=365))
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(key.public_key()),
                critical=False,
            )
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(own), critical=False
            )
        )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _alternatives(name: str) -> list[x509.GeneralName]:
    if name == "localhost":
        local = ipaddress.ip_address("127.0.0.1")
        return [x509.DNSName(name), x509.IPAddress(local)]
    return [x509.DNSName(name)]


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=not signs,
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
    )
