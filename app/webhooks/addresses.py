"""Where a caller's URL may lead: judged by its form, then by what it resolves to.

A check before use proves nothing about a connection made later. So `resolve` hands
out the very addresses that it judged, and whoever connects dials one of those and
never looks the name up again: see `app.webhooks.transport`.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Protocol
from urllib.parse import urlsplit

from app.core.errors import FieldProblem, InvalidError
from app.webhooks.networks import IpAddress, IpNetwork, refusal

LONGEST_URL = 2048  # characters
LONGEST_HOST = 253  # characters, RFC 1035

_HTTPS_PORT = 443
_HTTP_PORT = 80
_UNPRIVILEGED_PORTS = range(1024, 65536)

_VISIBLE_ASCII = re.compile(r"[!-~]+")
_AUTHORITY = re.compile(
    r"(\[(?P<address>[0-9A-Fa-f:.]+)\]|(?P<name>[^][:]+))(:(?P<port>[0-9]{1,5}))?"
)
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")


class UrlRefusedError(InvalidError):
    """A URL of a form that Slipway never calls."""

    code = "url_refused"
    title = "This URL cannot be used"
    remedy = "Give an https URL of a host name and, if needed, a port."


class AddressRefusedError(UrlRefusedError):
    """A URL that leads to an address which callers must not reach."""

    code = "address_refused"
    title = "This URL leads to a refused address"
    remedy = (
        "Use a public address, or ask the operator to add the receiver's network to "
        "SLIPWAY_WEBHOOK_ALLOWED_CIDRS."
    )


class HostUnresolvedError(UrlRefusedError):
    """A host name without an answer just now, refused for that."""

    code = "host_unresolved"
    title = "The URL's host name cannot be resolved"
    remedy = "Check the host name: the machine that runs Slipway must resolve it."


@dataclass(frozen=True, kw_only=True, slots=True)
class AddressPolicy:
    """What the operator allows: settings `WEBHOOK_ALLOW_HTTP` and `…_ALLOWED_CIDRS`.

    Ports from 1024 on are open, because receivers inside a company listen there; of
    those below, where mail, SSH and the like live, only `allowed_ports`, and 80 with
    `allow_http`.
    """

    allow_http: bool = False
    allowed_networks: tuple[IpNetwork, ...] = ()
    allowed_ports: frozenset[int] = frozenset({_HTTPS_PORT})

    @property
    def schemes(self) -> tuple[str, ...]:
        """Return the URL schemes that may be called."""
        return ("https", "http") if self.allow_http else ("https",)

    def opens(self, port: int) -> bool:
        """Say whether a receiver may listen on `port`."""
        if port == _HTTP_PORT and self.allow_http:
            return True
        return port in self.allowed_ports or port in _UNPRIVILEGED_PORTS


class Resolver(Protocol):
    """Turns a host name into addresses."""

    async def look_up(self, host: str) -> Sequence[str]:
        """Return the addresses of `host`, best first; raise `OSError` if it cannot."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Destination:
    """What `check_url` read from a URL; `host` may still resolve to anything."""

    scheme: str
    host: str
    port: int


def check_url(url: str, policy: AddressPolicy, *, pointer: str = "/url") -> Destination:
    """Return where `url` leads, or raise `UrlRefusedError` naming `pointer`.

    Judges the form alone and looks nothing up: the scheme, the characters, no user
    name, no fragment, the host, the port, and the address where the host is one.
    """
    with _naming(pointer):
        destination = _read(url)
        if destination.scheme not in policy.schemes:
            allowed = " or ".join(f"{scheme}://" for scheme in policy.schemes)
            raise UrlRefusedError(f"The URL must begin with {allowed}.")
        _judge_host(destination.host, destination.port, policy)
        return destination


async def ensure_reachable_address(
    url: str, policy: AddressPolicy, *, resolver: Resolver, pointer: str = "/url"
) -> tuple[IpAddress, ...]:
    """Return the addresses behind `url`, all of them allowed, or raise like `resolve`.

    For URLs that are stored now and called later (webhooks, tracking servers). It
    tells a caller early; it does not replace the guard at the connection.
    """
    destination = check_url(url, policy, pointer=pointer)
    with _naming(pointer):
        return await resolve(
            destination.host, destination.port, policy=policy, resolver=resolver
        )


async def resolve(
    host: str, port: int, *, policy: AddressPolicy, resolver: Resolver
) -> tuple[IpAddress, ...]:
    """Return the addresses of `host` from one look-up, every one of them allowed.

    Fails closed: one refused answer among allowed ones raises `AddressRefusedError`,
    no answer or one that is not an address `HostUnresolvedError`.
    """
    literal = _judge_host(host, port, policy)
    if literal is not None:
        return (literal,)
    try:
        answers = await resolver.look_up(host)
        addresses = tuple(ip_address(answer) for answer in answers)
    except (OSError, ValueError) as error:
        raise HostUnresolvedError("The host name could not be resolved.") from error
    if not addresses:
        raise HostUnresolvedError("The host name has no address.")
    for address in addresses:
        _judge_address(address, policy, subject="The host name resolves to")
    return addresses


def _read(url: str) -> Destination:
    if not 0 < len(url) <= LONGEST_URL:
        raise UrlRefusedError(f"A URL has 1 to {LONGEST_URL} characters.")
    # Before parsing: the parser drops tabs and line ends without a word.
    if not _VISIBLE_ASCII.fullmatch(url):
        raise UrlRefusedError(
            "The URL holds characters other than visible ASCII.",
            remedy="Percent-encode the path; write the host in its xn-- form.",
        )
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise UrlRefusedError("The URL cannot be read.") from error
    if "@" in parts.netloc or "#" in url:
        raise UrlRefusedError(
            "The URL holds a user name, a password or a fragment.",
            remedy="Leave them out: what is sent is proved by its signature.",
        )
    # The whole authority, since parsers differ about what may stand beside a bracket:
    # of [2001:db8::7]1 one reads port 443 and another port 1.
    authority = _AUTHORITY.fullmatch(parts.netloc)
    if authority is None:
        raise UrlRefusedError("The URL has no host, or not a plain host and port.")
    default_port = _HTTP_PORT if parts.scheme == "http" else _HTTPS_PORT
    return Destination(
        scheme=parts.scheme,
        host=(authority["address"] or authority["name"]).lower(),
        port=int(authority["port"] or default_port),
    )


def _judge_host(host: str, port: int, policy: AddressPolicy) -> IpAddress | None:
    """Return the address if `host` is one; raise unless both may be called."""
    if not policy.opens(port):
        raise UrlRefusedError(
            "The URL's port is not open to calls.",
            remedy="Use port 443, 8443 or any other from 1024 on.",
        )
    address = _read_address(host)
    if address is not None:
        _judge_address(address, policy, subject="The URL's address is in")
        return address
    labels = host.split(".")
    is_name = len(host) <= LONGEST_HOST and all(map(_LABEL.fullmatch, labels))
    # A last label that is a number makes an address (WHATWG URL, 3.5): resolvers read
    # 127.1, 0x7f.1, 017700000001 and 2130706433 as 127.0.0.1.
    if not is_name or _NUMBER.fullmatch(labels[-1]):
        raise UrlRefusedError(
            "The URL's host is neither a host name nor a plainly written address.",
            remedy="Write a host name without a dot at its end, or an address as "
            "203.0.113.7 or [2001:db8::7].",
        )
    return None


def _read_address(host: str) -> IpAddress | None:
    # A zone (fe80::1%eth0) names an interface of ours, which is no caller's business.
    if "%" in host:
        return None
    try:
        return IPv6Address(host) if ":" in host else IPv4Address(host)
    except ValueError:
        return None


def _judge_address(address: IpAddress, policy: AddressPolicy, *, subject: str) -> None:
    reason = refusal(address, policy.allowed_networks)
    if reason is not None:
        raise AddressRefusedError(f"{subject} a refused range: {reason}.")


@contextmanager
def _naming(pointer: str) -> Iterator[None]:
    """Add to a refusal which field of the request it is about."""
    try:
        yield
    except UrlRefusedError as error:
        error.fields = (
            FieldProblem(pointer=pointer, code=error.code, detail=error.detail),
        )
        raise
