"""Problems: one form for all, with an id, and nothing of what was sent."""

import httpx
import pytest
from fastapi import Request, Response

from app.api.errors import STATUS, status_of
from app.core.errors import all_errors
from app.settings import Settings
from tests.api.house import BODY, PATH, Api, housed

FIELDS = {
    "type",
    "title",
    "status",
    "detail",
    "code",
    "errors",
    "remedy",
    "request_id",
    "links",
}


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nothing", 404, "not_found"),
        ("GET", "/v1/nothing", 404, "not_found"),
        ("DELETE", "/v1/me", 405, "method_not_allowed"),
        ("GET", "/v1/deployments/dep_x", 404, "not_found"),
        ("PUT", PATH, 422, "invalid_request"),
    ],
)
async def test_every_error_is_a_problem(
    api: Api, method: str, path: str, status: int, code: str
) -> None:
    answer = await api.admin.request(method, path)

    problem = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert set(problem) == FIELDS
    assert (answer.status_code, problem["status"]) == (status, status)
    assert problem["code"] == code
    assert problem["type"] == f"urn:slipway:error:{code}"
    assert problem["title"]
    assert problem["detail"]
    assert problem["remedy"]
    assert problem["request_id"] == answer.headers["x-request-id"]


async def test_an_error_never_echoes_what_was_sent(api: Api) -> None:
    marker = "s3cret-marker"
    body = {
        **BODY,
        "description": [marker],
        "model": {"uri": marker},
        "webhook": {"url": f"https://{marker}@x", "secret": marker, "events": [marker]},
        "tags": {"a": {"b": marker}},
    }

    answer = await api.admin.put(f"{PATH}?queue={marker}", json=body)

    assert answer.status_code == 422
    assert marker not in answer.text


@pytest.mark.parametrize(
    ("given", "is_kept"),
    [("trace-1.2_3", True), ("x" * 64, True), ("x" * 65, False), ("a b", False)],
)
async def test_a_sane_request_id_is_kept(
    api: Api, given: str, *, is_kept: bool
) -> None:
    answer = await api.admin.get("/livez", headers={"X-Request-Id": given})

    assert (answer.headers["x-request-id"] == given) is is_kept


async def test_an_operation_remembers_the_request_that_asked_for_it(api: Api) -> None:
    answer = await api.admin.put(PATH, json=BODY, headers={"X-Request-Id": "mine"})

    latest = answer.json()["latest_operation"]["id"]
    assert (await api.building.operation(latest)).request_id == "mine"


async def test_an_unforeseen_error_is_500_and_tells_nothing(api: Api) -> None:
    async def broken(_: Request) -> Response:
        raise ZeroDivisionError("s3cret-marker")

    api.app.router.add_route("/broken", broken)

    answer = await api.admin.get("/broken")

    assert answer.status_code == 500
    assert answer.json()["code"] == "internal_error"
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
    assert "s3cret-marker" not in answer.text
    assert "ZeroDivisionError" not in answer.text


def test_every_error_of_the_core_has_a_status() -> None:
    assert {status_of(kind) for kind in all_errors()} <= set(STATUS.values())


async def test_answers_carry_safe_headers(api: Api) -> None:
    for path in ("/livez", "/nothing", "/v1/me"):
        headers = (await api.admin.get(path)).headers

        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]


async def test_no_other_origin_may_call_by_default(api: Api) -> None:
    answer = await _preflight(api)

    assert "access-control-allow-origin" not in answer.headers


async def test_an_allowed_origin_may_call_and_read_the_headers(
    database_url: str,
) -> None:
    origin = "https://portal.example.com"
    settings = Settings(cors_origins=(origin,))
    async with housed(database_url, settings=settings) as api:
        preflight = await _preflight(api)
        answer = await api.admin.get("/v1/me", headers={"Origin": origin})
        other = await api.admin.get("/v1/me", headers={"Origin": "https://evil.test"})

    assert preflight.headers["access-control-allow-origin"] == origin
    exposed = answer.headers["access-control-expose-headers"].split(", ")
    assert {
        "ETag",
        "Link",
        "Location",
        "Operation-Location",
        "Retry-After",
        "Preference-Applied",
        "Deprecation",
    } <= set(exposed)
    assert "access-control-allow-origin" not in other.headers


async def test_links_begin_where_the_caller_reached_us(api: Api) -> None:
    answer = await api.put()

    assert answer.json()["links"]["self"].startswith("http://api.test/v1/")


async def test_links_begin_with_the_public_url_when_it_is_set(
    database_url: str,
) -> None:
    public = "https://slipway.example.com"
    settings = Settings(public_url=public)
    async with housed(database_url, settings=settings, base_url=public) as api:
        answer = await api.put()

    assert answer.json()["links"]["self"].startswith(f"{public}/v1/")
    assert answer.headers["location"].startswith(f"{public}/v1/")


async def _preflight(api: Api) -> httpx.Response:
    return await api.admin.options(
        "/v1/me",
        headers={
            "Origin": "https://portal.example.com",
            "Access-Control-Request-Method": "GET",
            "Access-Control-Request-Headers": "authorization",
        },
    )
