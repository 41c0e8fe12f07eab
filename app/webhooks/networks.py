"""The address ranges that no caller may send Slipway to, each with its reason.

An explicit list, not `ipaddress.is_global`: that one calls 168.63.129.16, NAT64
loopback, ::127.0.0.1, fec0::1 and multicast global, and differs between Python
versions. Sources: the IANA special-purpose registries for IPv4 and IPv6 (RFC 6890
and its successors), and the metadata addresses of the clouds.
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

IpAddress = IPv4Address | IPv6Address
IpNetwork = IPv4Network | IPv6Network

# Forms of IPv6 that carry an IPv4 address: what they reach depends on translators
# on the way, so that no list of allowed networks can say it. Refused whatever is set.
EMBEDDING: tuple[tuple[IpNetwork, str], ...] = (
    (IPv6Network("::ffff:0:0/96"), "IPv4-mapped"),
    (IPv6Network("::ffff:0:0:0/96"), "IPv4-translated"),
    (IPv6Network("64:ff9b::/96"), "NAT64"),
    (IPv6Network("64:ff9b:1::/48"), "local NAT64"),
    (IPv6Network("2001::/32"), "Teredo"),
    (IPv6Network("2002::/16"), "6to4"),
)

# Inside ::/96, yet addresses of their own; the operator may allow them.
_PLAIN: tuple[tuple[IpNetwork, str], ...] = (
    (IPv6Network("::/128"), "unspecified"),
    (IPv6Network("::1/128"), "loopback"),
)

_COMPATIBLE = (IPv6Network("::/96"), "IPv4-compatible")

# The first match names the reason, so the narrower stand before the wider.
REFUSED: tuple[tuple[IpNetwork, str], ...] = (
    (IPv4Network("0.0.0.0/8"), "this host"),
    (IPv4Network("10.0.0.0/8"), "private"),
    (IPv4Network("100.100.100.200/32"), "cloud metadata"),
    (IPv4Network("100.64.0.0/10"), "carrier-grade NAT"),
    (IPv4Network("127.0.0.0/8"), "loopback"),
    (IPv4Network("168.63.129.16/32"), "Azure's wire server"),
    (IPv4Network("169.254.169.254/32"), "cloud metadata"),
    (IPv4Network("169.254.0.0/16"), "link-local"),
    (IPv4Network("172.16.0.0/12"), "private"),
    (IPv4Network("192.0.0.192/32"), "cloud metadata"),
    (IPv4Network("192.0.0.0/24"), "protocol assignments"),
    (IPv4Network("192.0.2.0/24"), "documentation"),
    (IPv4Network("192.31.196.0/24"), "AS112"),
    (IPv4Network("192.52.193.0/24"), "multicast tunnels"),
    (IPv4Network("192.88.99.0/24"), "6to4 relays"),
    (IPv4Network("192.168.0.0/16"), "private"),
    (IPv4Network("192.175.48.0/24"), "AS112"),
    (IPv4Network("198.18.0.0/15"), "benchmarking"),
    (IPv4Network("198.51.100.0/24"), "documentation"),
    (IPv4Network("203.0.113.0/24"), "documentation"),
    (IPv4Network("224.0.0.0/4"), "multicast"),
    (IPv4Network("255.255.255.255/32"), "broadcast"),
    (IPv4Network("240.0.0.0/4"), "reserved"),
    *_PLAIN,
    (IPv6Network("2001::/23"), "protocol assignments"),
    (IPv6Network("2001:db8::/32"), "documentation"),
    (IPv6Network("2620:4f:8000::/48"), "AS112"),
    (IPv6Network("3fff::/20"), "documentation"),
    (IPv6Network("fc00::/7"), "unique local"),
    (IPv6Network("fe80::/10"), "link-local"),
    (IPv6Network("fec0::/10"), "site-local"),
    (IPv6Network("ff00::/8"), "multicast"),
    # Everything outside 2000::/3 that is not named above: never global unicast.
    (IPv6Network("::/3"), "reserved"),
    (IPv6Network("4000::/2"), "reserved"),
    (IPv6Network("8000::/1"), "reserved"),
)


def refusal(address: IpAddress, allowed: tuple[IpNetwork, ...] = ()) -> str | None:
    """Return why `address` must not be reached, or `None` where it may be.

    `allowed` wins over every refused range except the IPv6 forms that carry an IPv4
    address. The reason names the range, never the address.
    """
    is_plain = _first(_PLAIN, address) is not None
    embedded = _first(EMBEDDING if is_plain else (*EMBEDDING, _COMPATIBLE), address)
    if embedded is not None:
        return embedded
    if any(address in network for network in allowed):
        return None
    return _first(REFUSED, address)


def _first(table: tuple[tuple[IpNetwork, str], ...], address: IpAddress) -> str | None:
    for network, label in table:
        if address in network:
            return f"{label} ({network})"
    return None
