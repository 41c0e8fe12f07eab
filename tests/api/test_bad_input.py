"""Well-formed and wrong: refused with a pointer to each field, and not stored."""

from typing import Any

import pytest

from tests.api.house import HOOK, SECRET, Api, pointers


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"model": {"uri": "/etc/passwd"}}, "/model/uri"),
        ({"model": {"uri": "https://example.com/model"}}, "/model/uri"),
        ({"model": {}}, "/model/uri"),
        ({"model": {"uri": "runs:/a/m", "register_as": "a/b"}}, "/model/register_as"),
        ({"target": {"kind": "mars"}}, "/target/kind"),
        ({"target": "local"}, "/target"),
        ({"target": {"kind": "local", "cores": 1}}, "/target/cores"),
        ({"unknown": 1}, "/unknown"),
        ({"tags": {"a": 1}}, "/tags/a"),
        ({"tags": {"slipway.x": "1"}}, "/tags/slipway.x"),
        ({"tags": {"slipway./~": "1"}}, "/tags/slipway.~1~0"),
        ({"deadline_seconds": "60"}, "/deadline_seconds"),
        ({"deadline_seconds": 1}, "/deadline_seconds"),
        ({"expected_revision": 10**30}, "/expected_revision"),
        ({"name": "other"}, "/name"),
        ({"workspace": "other"}, "/workspace"),
        ({"webhook": {"url": HOOK}}, "/webhook/secret"),
        ({"webhook": {"url": HOOK, "secret": "short"}}, "/webhook/secret"),
        ({"webhook": {"url": "ftp://a", "secret": SECRET}}, "/webhook/url"),
        (
            {"webhook": {"url": HOOK, "secret": SECRET, "events": ["no.such"]}},
            "/webhook/events/0",
        ),
        ({"webhook": {"id": "wh_unknown"}}, "/webhook/id"),
        ({"webhook": 7}, "/webhook"),
        ({"verify": {"attempts": 0}}, "/verify/attempts"),
    ],
)
async def test_a_wrong_field_is_422_with_its_pointer_and_stores_nothing(
    api: Api, changes: dict[str, Any], pointer: str
) -> None:
    answer = await api.put(**changes)

    assert answer.status_code == 422
    assert pointers(answer) == [pointer]
    assert answer.json()["remedy"]
    assert await api.count("deployments") == 0
    assert await api.count("webhooks") == 0


@pytest.mark.parametrize("name", ["A", "ab", "-ab", "ab-", "a" * 33, "a_b", "a.b"])
async def test_an_illegal_name_is_422(api: Api, name: str) -> None:
    answer = await api.put(f"/v1/workspaces/prod/deployments/{name}")

    assert answer.status_code == 422
    assert pointers(answer) == ["/path/name"]
