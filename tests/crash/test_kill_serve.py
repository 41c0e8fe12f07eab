"""kill -9 of the whole service at every named point: all ends right after a restart."""

import signal

import pytest

from tests.service import Service
from tests.support import eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

# One point in each phase, and the two where the world has changed and no record yet.
FIRST_DEPLOYMENT = [
    "resolve",
    "resolve.done",
    "preflight",
    "deploy.applied",
    "verify",
    "shift.moved",
    "cleanup",
]
COLUMNS = ["age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6"]


@pytest.mark.parametrize("failpoint", FIRST_DEPLOYMENT)
async def test_a_deployment_survives_a_kill_at(
    slipway: Service, failpoint: str
) -> None:
    await slipway.start(failpoint=failpoint)
    assert (await slipway.put("diabetes", "ridge_a")).status_code == 202
    assert await slipway.died() == -signal.SIGKILL

    await slipway.start()
    found = await slipway.ended("diabetes")

    assert (found["state"], found["latest_operation"]["state"]) == ("live", "succeeded")
    assert slipway.registered_versions() == [("diabetes-model", 1)]
    scored = await score(slipway, found)
    assert scored == 200
    told = [event["sequence"] for event in await slipway.events("diabetes")]
    assert told == list(range(1, len(told) + 1))


async def test_a_delete_survives_a_kill_in_the_middle(slipway: Service) -> None:
    await slipway.start()
    await slipway.put("diabetes", "ridge_a")
    live = await slipway.ended("diabetes")
    await slipway.stop()

    await slipway.start(failpoint="delete.removed")
    await slipway.client.delete(f"/v1/deployments/{live['id']}")
    assert await slipway.died() == -signal.SIGKILL
    await slipway.start()

    async def is_deleted() -> bool:
        answer = await slipway.client.get(f"/v1/deployments/{live['id']}")
        return bool(answer.json()["state"] == "deleted")

    await eventually(is_deleted, within_seconds=60)


async def score(slipway: Service, found: dict[str, object]) -> int:
    """Return the status of a scoring call; the watch may still be bringing it back."""
    example = {"dataframe_split": {"columns": COLUMNS, "data": [[0.0] * 10]}}

    async def call() -> int | None:
        answer = await slipway.client.post(
            f"/v1/deployments/{found['id']}/invocations", json=example
        )
        return answer.status_code if answer.status_code < 500 else None

    return await eventually(call, within_seconds=60) or 0
