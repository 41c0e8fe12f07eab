"""Invocations: what serves is asked, and its answer comes back as it is."""

import pytest

from app.api.routes.scoring import LARGEST_INPUT
from tests.api.house import Api
from tests.api.scored import Scored, scored


async def test_an_input_is_forwarded_and_the_answer_comes_back(api: Api) -> None:
    async with scored(b'{"predictions": [1.5]}') as model:
        path = await _serving(api, model)

        answer = await api.admin.post(path, content=b'{"inputs": [1]}')

    assert answer.status_code == 200
    assert answer.json() == {"predictions": [1.5]}
    assert model.bodies == [b'{"inputs": [1]}']


async def test_the_models_own_error_comes_back_as_it_is(api: Api) -> None:
    async with scored(b'{"error": "schema"}', status=400) as model:
        path = await _serving(api, model)

        answer = await api.admin.post(path, content=b"{}")

    assert answer.status_code == 400
    assert answer.json() == {"error": "schema"}


async def test_an_input_may_be_larger_than_other_bodies(api: Api) -> None:
    async with scored(b"{}") as model:
        path = await _serving(api, model)

        large = await api.admin.post(path, content=b" " * 10**6)
        too_large = await api.admin.post(path, content=b" " * (LARGEST_INPUT + 1))

    assert large.status_code == 200
    assert too_large.status_code == 413
    assert len(model.bodies) == 1


async def test_where_nothing_serves_it_is_409(api: Api) -> None:
    shown = (await api.put()).json()

    answer = await api.admin.post(f"/v1/deployments/{shown['id']}/invocations")

    assert answer.status_code == 409
    assert answer.json()["code"] == "not_serving"


async def test_an_endpoint_that_is_gone_is_502(api: Api) -> None:
    async with scored(b"{}") as model:
        path = await _serving(api, model)

    answer = await api.admin.post(path, content=b"{}")

    assert answer.status_code == 502
    assert answer.json()["code"] == "upstream_failed"


@pytest.mark.parametrize("media_type", ["\u00e9", "x" * 300])
async def test_a_media_type_that_cannot_be_sent_on_is_415(
    api: Api, media_type: str
) -> None:
    async with scored(b"{}") as model:
        path = await _serving(api, model)
        headers = [(b"Content-Type", media_type.encode("latin-1"))]

        answer = await api.admin.post(path, content=b"{}", headers=headers)

    assert answer.status_code == 415
    assert model.bodies == []


async def _serving(api: Api, model: Scored) -> str:
    """Bring a deployment up that answers at `model`'s address."""
    shown = await api.live()
    await api.execute(
        "UPDATE deployments SET scoring_uri = %s WHERE id = %s", model.url, shown["id"]
    )
    return f"/v1/deployments/{shown['id']}/invocations"
