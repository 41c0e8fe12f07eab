"""What the operator's settings open, and what a refusal says."""

from ipaddress import ip_address, ip_network

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.webhooks.addresses import (
    AddressPolicy,
    AddressRefusedError,
    Destination,
    HostUnresolvedError,
    UrlRefusedError,
    check_url,
    ensure_reachable_address,
    resolve,
)
from app.webhooks.networks import EMBEDDING, REFUSED, refusal
from tests.webhooks.fakes import FakeResolver

STRICT = AddressPolicy()
INSIDE = AddressPolicy(
    allow_http=True,
    allowed_networks=(
        ip_network("127.0.0.0/8"),
        ip_network("10.20.0.0/16"),
        ip_network("::1/128"),
        ip_network("fd00::/8"),
    ),
)
EVERYTHING = AddressPolicy(
    allow_http=True,
    allowed_networks=(ip_network("0.0.0.0/0"), ip_network("::/0")),
)


def test_a_url_is_read_into_where_it_leads() -> None:
    https = check_url("https://Hook.Test/a", STRICT)
    http = check_url("http://127.0.0.1:8081/a?b", INSIDE)

    assert https == Destination(scheme="https", host="hook.test", port=443)
    assert http == Destination(scheme="http", host="127.0.0.1", port=8081)


def test_plain_http_needs_the_operators_word() -> None:
    with pytest.raises(UrlRefusedError, match="https://"):
        check_url("http://hook.test/", STRICT)

    assert check_url("http://hook.test/", INSIDE).port == 80


@pytest.mark.parametrize("port", [1024, 8080, 8443, 65535])
def test_high_ports_are_open(port: int) -> None:
    assert check_url(f"https://hook.test:{port}/", STRICT).port == port


@pytest.mark.parametrize("port", [22, 80, 1023])
def test_low_ports_are_closed_until_they_are_allowed(port: int) -> None:
    opened = AddressPolicy(allowed_ports=frozenset({port}))

    with pytest.raises(UrlRefusedError, match="port"):
        check_url(f"https://hook.test:{port}/", STRICT)
    assert check_url(f"https://hook.test:{port}/", opened).port == port


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:9000/",
        "http://10.20.255.1/",
        "https://[::1]/",
        "https://[fd12:3456::1]/",
    ],
)
def test_an_allowed_network_wins_over_the_list(url: str) -> None:
    with pytest.raises(UrlRefusedError):
        check_url(url, STRICT)

    check_url(url, INSIDE)


@pytest.mark.parametrize("url", ["http://10.21.0.1/", "https://[fe80::1]/"])
def test_an_allowed_network_opens_nothing_beside_itself(url: str) -> None:
    with pytest.raises(AddressRefusedError):
        check_url(url, INSIDE)


@pytest.mark.parametrize(
    "url",
    [
        "https://[::ffff:10.20.0.1]/",
        "https://[::10.20.0.1]/",
        "https://[::ffff:0:10.20.0.1]/",
        "https://[64:ff9b::10.20.0.1]/",
        "https://[64:ff9b:1::10.20.0.1]/",
        "https://[2002:a14:1::1]/",
        "https://[2001:0:a14:1::]/",
    ],
)
@pytest.mark.parametrize("policy", [INSIDE, EVERYTHING])
def test_an_address_inside_another_is_refused_whatever_is_allowed(
    url: str, policy: AddressPolicy
) -> None:
    with pytest.raises(AddressRefusedError):
        check_url(url, policy)


def test_a_refusal_names_the_range_and_never_the_address() -> None:
    with pytest.raises(AddressRefusedError) as caught:
        check_url("https://169.254.169.254/secret", STRICT, pointer="/webhook/url")

    assert "cloud metadata" in caught.value.detail
    assert "SLIPWAY_WEBHOOK_ALLOWED_CIDRS" in caught.value.advice
    assert caught.value.fields[0].pointer == "/webhook/url"
    assert caught.value.fields[0].code == caught.value.code == "address_refused"


@pytest.mark.parametrize("network", [network for network, _ in (*EMBEDDING, *REFUSED)])
def test_both_ends_of_every_listed_range_are_refused(network: object) -> None:
    listed = ip_network(str(network))

    assert refusal(listed.network_address)
    assert refusal(listed.broadcast_address)


@pytest.mark.parametrize(
    "address",
    [
        "1.1.1.1",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "126.255.255.255",
        "128.0.0.0",
        "168.63.129.15",
        "168.63.129.17",
        "169.253.255.255",
        "169.255.0.0",
        "172.15.255.255",
        "172.32.0.0",
        "191.255.255.255",
        "192.0.1.0",
        "192.167.255.255",
        "192.169.0.0",
        "198.17.255.255",
        "198.20.0.0",
        "223.255.255.255",
        "2001:200::1",
        "2001:db7:ffff::1",
        "2001:db9::1",
        "2003::1",
        "2606:2800:21f:cb07::1",
        "3ffe:ffff::1",
        "3fff:1000::1",
    ],
)
def test_the_neighbors_of_the_listed_ranges_are_not_refused(address: str) -> None:
    assert refusal(ip_address(address)) is None


# Whatever is dialed was judged by the reading of `check_url`, so the client must read
# the same; urllib and httpx disagree about quite a few combinations of these.
FRAGMENTS = [
    *("hook.test", "xn--a", "8.8.8.8", "[2606:4700::1111]", "2606:4700::1111", "0x1"),
    *(":443", ":80", ":8443", ":0443", ":", "1", "+1", "@", "#", "\\", "/", "//", "?"),
    *("[", "]", "%", "%40", "..", "_", "-", "&", ";", "'", "<", "|", "https://"),
]


@given(scheme=st.sampled_from(["http", "https", "HTTPS"]), parts=st.data())
@settings(max_examples=500, deadline=None, database=None)
def test_the_client_reads_a_url_as_it_was_judged(
    scheme: str, parts: st.DataObject
) -> None:
    pieces = parts.draw(st.lists(st.sampled_from(FRAGMENTS), min_size=1, max_size=5))
    url = f"{scheme}://{''.join(pieces)}"

    try:
        judged = check_url(url, EVERYTHING)
    except UrlRefusedError:
        return
    read = httpx.URL(url)

    default_port = 80 if read.scheme == "http" else 443
    host = read.raw_host.decode()
    assert (read.scheme, host, read.port or default_port) == (
        judged.scheme,
        judged.host,
        judged.port,
    )


async def test_one_look_up_gives_all_addresses_in_their_order() -> None:
    resolver = FakeResolver({"hook.test": [["2606:2800:21f:cb07::1", "93.184.215.14"]]})

    addresses = await resolve("hook.test", 443, policy=STRICT, resolver=resolver)

    assert [str(address) for address in addresses] == [
        "2606:2800:21f:cb07::1",
        "93.184.215.14",
    ]
    assert resolver.questions == ["hook.test"]


async def test_a_literal_address_is_never_looked_up() -> None:
    resolver = FakeResolver()

    addresses = await resolve("93.184.215.14", 443, policy=STRICT, resolver=resolver)

    assert addresses == (ip_address("93.184.215.14"),)
    assert resolver.questions == []


@pytest.mark.parametrize("failure", [OSError("no such name"), TimeoutError()])
async def test_a_failed_look_up_refuses(failure: OSError) -> None:
    resolver = FakeResolver({"hook.test": [failure]})

    with pytest.raises(HostUnresolvedError) as caught:
        await ensure_reachable_address(
            "https://hook.test/", EVERYTHING, resolver=resolver
        )

    assert caught.value.fields[0].code == "host_unresolved"


async def test_the_guard_at_the_connection_judges_the_port_too() -> None:
    with pytest.raises(UrlRefusedError, match="port"):
        await resolve("hook.test", 22, policy=STRICT, resolver=FakeResolver())


@pytest.mark.parametrize("host", ["fe80::1%1", "2606:2800:21f:cb07::1%eth0"])
async def test_the_guard_at_the_connection_takes_no_zone(host: str) -> None:
    with pytest.raises(UrlRefusedError):
        await resolve(host, 443, policy=EVERYTHING, resolver=FakeResolver())
