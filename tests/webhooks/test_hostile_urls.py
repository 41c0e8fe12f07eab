"""The corpus of hostile URLs: each refused when stored and when called."""

import ssl

import pytest

from app.core.errors import InvalidError
from app.webhooks.addresses import AddressPolicy, ensure_reachable_address
from app.webhooks.sender import Sender, SendRequest
from tests.webhooks.fakes import FakeDialer, FakeResolver, FrozenClock
from tests.webhooks.hostile import HOSTILE_NAMES, HOSTILE_URLS

# Plain http is allowed, so that nothing is refused for its scheme alone.
POLICY = AddressPolicy(allow_http=True)
CORPUS = [
    *HOSTILE_URLS,
    *(f"http{url.removeprefix('https')}" for url in HOSTILE_URLS if "://" in url),
]


# Nothing is ever connected here; reading the real authorities for each URL is slow.
def _sender(resolver: FakeResolver, dialer: FakeDialer) -> Sender:
    return Sender(
        POLICY,
        clock=FrozenClock(),
        resolver=resolver,
        dialer=dialer,
        tls=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
    )


def _resolver() -> FakeResolver:
    return FakeResolver({name: [answers] for name, answers in HOSTILE_NAMES.items()})


def test_the_corpus_is_large_and_without_twins() -> None:
    assert len(HOSTILE_URLS) == len(set(HOSTILE_URLS))
    assert len(HOSTILE_URLS) >= 150


@pytest.mark.parametrize("url", CORPUS)
async def test_a_hostile_url_is_refused_when_it_is_stored(url: str) -> None:
    with pytest.raises(InvalidError) as caught:
        await ensure_reachable_address(
            url, POLICY, resolver=_resolver(), pointer="/webhook/url"
        )

    assert [problem.pointer for problem in caught.value.fields] == ["/webhook/url"]
    assert caught.value.advice


@pytest.mark.parametrize("url", CORPUS)
async def test_a_hostile_url_is_never_dialed(url: str) -> None:
    dialer = FakeDialer()
    sender = _sender(_resolver(), dialer)

    result = await sender.send(SendRequest(url=url, headers={}, body=b"{}"))

    await sender.aclose()
    assert dialer.dialed == []
    assert result.status is None
    assert result.error_code in {"url_refused", "address_refused", "host_unresolved"}


@pytest.mark.parametrize(
    "url",
    [
        "https://hook.test/",
        "https://hook.test",
        "https://HOOK.Test:8443/a/b?c=d&e=%20",
        "https://xn--bcher-kva.test/",
        "https://a_b.hook-1.test:65535/",
        "https://127.0.0.1.hook.test/",
        "https://93.184.215.14:1024/",
        "https://[2606:2800:21f:cb07::1]:443/",
        "http://hook.test/",
        "http://hook.test:8080/",
    ],
)
async def test_a_harmless_url_is_dialed_at_the_address_that_was_judged(
    url: str,
) -> None:
    dialer = FakeDialer()
    sender = _sender(_resolver(), dialer)

    judged = await ensure_reachable_address(url, POLICY, resolver=_resolver())
    result = await sender.send(SendRequest(url=url, headers={}, body=b"{}"))

    await sender.aclose()
    assert [host for host, _ in dialer.dialed] == [str(judged[0])]
    assert result.error_code == "connect_failed"


async def test_a_name_that_turns_hostile_after_it_was_stored_is_not_dialed() -> None:
    resolver = FakeResolver({"hook.test": [["93.184.215.14"], ["127.0.0.1"]]})
    dialer = FakeDialer()
    sender = _sender(resolver, dialer)
    url = "https://hook.test/"

    await ensure_reachable_address(url, POLICY, resolver=resolver)
    result = await sender.send(SendRequest(url=url, headers={}, body=b"{}"))

    await sender.aclose()
    assert dialer.dialed == []
    assert result.error_code == "address_refused"


async def test_a_name_that_turns_hostile_during_an_attempt_changes_nothing() -> None:
    resolver = FakeResolver({"hook.test": [["93.184.215.14"], ["127.0.0.1"]]})
    dialer = FakeDialer()
    sender = _sender(resolver, dialer)

    await sender.send(SendRequest(url="https://hook.test/", headers={}, body=b"{}"))

    await sender.aclose()
    assert resolver.questions == ["hook.test"]
    assert dialer.dialed == [("93.184.215.14", 443)]
