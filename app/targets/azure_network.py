"""How the worker's own environment says that Azure is reached: its proxy and its CA."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from app.core.failure import Blame, Failure, FailureCode, TargetError

_PROXIES = ("HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY")
_BUNDLES = ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")
_DEFAULT_PORTS = {"http": 80, "https": 443}
_HTTPS_PORT = 443
_BUNDLE_REMEDY = (
    "Set REQUESTS_CA_BUNDLE or SSL_CERT_FILE of the worker to a PEM file that it may "
    "read, and start it again."
)
_CERTIFICATE = "-----BEGIN CERTIFICATE-----"


@dataclass(frozen=True, kw_only=True, slots=True)
class AzureNetwork:
    """The proxy variables, and the certificates in `ca_bundle` (None: the usual ones).

    Certificates and not their file: a confined process cannot read the file.
    """

    variables: Mapping[str, str]
    ca_bundle: str | None

    def ports(self) -> frozenset[int]:
        """Return the ports to which a process that speaks to Azure connects."""
        proxies = [self.variables.get(name) for name in ("HTTPS_PROXY", "HTTP_PROXY")]
        ports = {_port(url) for url in proxies if url}
        goes_around = bool(self.variables.get("NO_PROXY"))
        if not self.variables.get("HTTPS_PROXY") or goes_around:
            ports.add(_HTTPS_PORT)
        return frozenset(ports)

    def fields(self) -> dict[str, Any]:
        """Return it as plain data, with the ports."""
        return {
            "variables": dict(self.variables),
            "ca_bundle": self.ca_bundle,
            "ports": sorted(self.ports()),
        }


def network_of(environment: Mapping[str, str]) -> AzureNetwork:
    """Return what `environment` says. Raises TargetError if its CA cannot be read."""
    found = {
        name: environment.get(name) or environment.get(name.lower()) or ""
        for name in _PROXIES
    }
    bundles = [environment[name] for name in _BUNDLES if environment.get(name)]
    return AzureNetwork(
        variables={name: value for name, value in found.items() if value},
        ca_bundle=_read_bundle(bundles[0]) if bundles else None,
    )


def _read_bundle(path: str) -> str:
    try:
        text = Path(path).read_text(encoding="ascii", errors="replace")
    except OSError as error:
        raise _unusable(
            f"The CA file {path} cannot be read: {error.strerror}.", _BUNDLE_REMEDY
        ) from error
    if _CERTIFICATE not in text:
        raise _unusable(f"The CA file {path} holds no certificate.", _BUNDLE_REMEDY)
    return text


def _port(url: str) -> int:
    # A proxy may be named without a scheme, as curl allows.
    parts = urlsplit(url if "://" in url else f"http://{url}")
    try:
        return parts.port or _DEFAULT_PORTS[parts.scheme]
    except (KeyError, ValueError) as error:
        raise _unusable(
            "HTTPS_PROXY or HTTP_PROXY is not the address of an HTTP proxy.",
            "Set it to http://host:port.",
        ) from error


def _unusable(message: str, remedy: str) -> TargetError:
    return TargetError(
        Failure(
            code=FailureCode.MODEL_STORE_UNAVAILABLE,
            message=message,
            remedy=remedy,
            retryable=True,
            blame=Blame.SLIPWAY,
        )
    )
