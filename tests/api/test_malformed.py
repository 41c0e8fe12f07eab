"""Bytes that mean nothing, or more than one thing, are refused and never stored."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from app.api.body import LARGEST_BODY, parse_json
from app.core.errors import MalformedError
from tests.api.house import BODY, PATH, Api
from tests.api.serving import served

JSON = {"Content-Type": "application/json"}

MALFORMED = [
    b"{",
    b'{"model": }',
    b'{"a": 1} trailing',
    b"\xef\xbb\xbf{}",
    b'{"description": "\xff\xfe"}',
    b'{"description": "\\u0000"}',
    b'{"\\u0000": 1}',
    b'{"description": "\\ud800"}',
    b'{"\\udfff": 1}',
    b'{"description": "\x00"}',
    b'{"tags": {"a": "1", "a": "2"}}',
    b'{"deadline_seconds": NaN}',
    b'{"deadline_seconds": -Infinity}',
    b'{"deadline_seconds": 1e999}',
    b'{"deadline_seconds": 1' + b"0" * 5000 + b"}",
    b'{"verify": ' + b'{"input":' * 33 + b"{}" + b"}" * 34,
    b"[" * 60_000,
]


async def test_malformed_bytes_are_400(api: Api) -> None:
    for content in MALFORMED:
        answer = await api.admin.put(PATH, content=content, headers=JSON)

        assert answer.status_code == 400, content[:60]
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["code"] == "malformed_request"
    assert await api.count("deployments") == 0


@pytest.mark.parametrize(
    "path",
    [
        "/v1/deployments/a%00b",
        "/v1/deployments/%ff",
        "/v1/deployments/%ed%a0%80",
        "/v1/deployments?name=a%00b",
        "/v1/deployments?name=%ff",
        "/v1/deployments?a%00=1",
        "/nothing%00",
    ],
)
async def test_a_malformed_path_or_query_is_400(api: Api, path: str) -> None:
    answer = await api.admin.get(path)

    assert answer.status_code == 400
    assert answer.json()["code"] == "malformed_request"


@pytest.mark.parametrize("text", ["[]", '"text"', "1", "null", "true", "[{}]"])
async def test_json_that_is_no_object_is_422(api: Api, text: str) -> None:
    answer = await api.admin.put(PATH, content=text, headers=JSON)

    assert answer.status_code == 422


async def test_a_body_that_is_missing_is_422(api: Api) -> None:
    assert (await api.admin.put(PATH)).status_code == 422


@pytest.mark.parametrize(
    "media_type",
    ["text/plain", "application/x-www-form-urlencoded", "application/xml", "json", ""],
)
async def test_another_media_type_is_415(api: Api, media_type: str) -> None:
    headers = {"Content-Type": media_type}

    answer = await api.admin.put(PATH, content=b"{}", headers=headers)

    assert answer.status_code == 415
    assert answer.json()["code"] == "unsupported_media_type"


async def test_a_merge_patch_is_no_body_of_a_put(api: Api) -> None:
    headers = {"Content-Type": "application/merge-patch+json"}

    answer = await api.admin.put(PATH, content=b"{}", headers=headers)

    assert answer.status_code == 415


async def test_a_body_over_the_limit_is_413(api: Api) -> None:
    largest = b'{"a":"' + b"x" * (LARGEST_BODY - 8) + b'"}'
    assert len(largest) == LARGEST_BODY

    at_limit = await api.admin.put(PATH, content=largest, headers=JSON)
    over = await api.admin.put(PATH, content=largest + b" ", headers=JSON)

    assert at_limit.status_code == 422
    assert over.status_code == 413
    assert over.headers["content-type"] == "application/problem+json"


async def test_a_chunked_body_over_the_limit_is_413_over_tcp(api: Api) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(LARGEST_BODY // 1024 + 1):
            yield b" " * 1024
            await asyncio.sleep(0)

    async with served(api) as client:
        chunked = await client.put(PATH, content=chunks(), headers=JSON)
        declared = await client.put(PATH, content=b" " * 10**6, headers=JSON)
        after = await client.put(PATH, json=BODY)

    assert chunked.status_code == declared.status_code == 413
    assert chunked.json()["code"] == declared.json()["code"] == "too_large"
    assert after.status_code == 202


@pytest.mark.parametrize(
    "header",
    [
        ("Host", "bad host<>"),
        ("X-Request-Id", "a b\u00e9"),
        ("If-None-Match", "\u00ff" * 10),
        ("If-Match", '"' * 999),
        ("Prefer", "wait=" + "9" * 500),
        ("Accept", "\u00e9"),
        ("Last-Event-ID", "\u00b2"),
        ("Content-Type", "application/json; charset=\u00e9"),
    ],
)
async def test_strange_headers_never_fail_the_server(
    api: Api, header: tuple[str, str]
) -> None:
    headers = [(header[0].encode(), header[1].encode("latin-1"))]

    answers = [
        await api.admin.get(PATH, headers=headers),
        await api.admin.get("/v1/events", headers=headers),
        await api.admin.request("PUT", PATH, content=b"{}", headers=headers),
    ]

    assert all(answer.status_code < 500 for answer in answers)


def test_strict_json_keeps_what_plain_json_means() -> None:
    text = '{"a": [1, 2.5, true, null, "\\u00e9\\ud83d\\ude00"], "b": {"c": 1e3}}'

    assert parse_json(text.encode()) == {
        "a": [1, 2.5, True, None, "é😀"],
        "b": {"c": 1000.0},
    }


def test_nesting_ends_at_thirty_two_levels() -> None:
    def nested(levels: int) -> bytes:
        return b"[" * levels + b"]" * levels

    assert parse_json(nested(32)) != []
    with pytest.raises(MalformedError):
        parse_json(nested(33))
