"""Operations: shown, listed, canceled and retried."""

from app.core.principal import Scope
from app.core.target import ObservedPhase
from tests.api.house import PATH, Api


async def test_a_failed_operation_tells_cause_and_remedy(api: Api) -> None:
    api.building.target.outcomes["r1"] = ObservedPhase.FAILED
    accepted = await api.put()
    await api.work(accepted.json())

    operation = (await api.admin.get(accepted.headers["operation-location"])).json()

    assert operation["state"] == "failed"
    assert operation["error"]["cause"]
    assert operation["error"]["remedy"]
    assert (await api.admin.get(PATH)).json()["state"] == "failed"


async def test_a_waiting_operation_is_canceled_at_once(api: Api) -> None:
    accepted = await api.put()
    path = accepted.headers["operation-location"]

    canceled = await api.admin.post(f"{path}/cancel")
    again = await api.admin.post(f"{path}/cancel")

    assert canceled.status_code == again.status_code == 202
    assert canceled.json()["state"] == again.json()["state"] == "canceled"
    assert (await api.admin.get(PATH)).json()["state"] == "canceled"


async def test_an_operation_that_succeeded_is_not_canceled(api: Api) -> None:
    shown = await api.live()

    answer = await api.admin.post(f"/v1/deployments/{shown['id']}/cancel")

    assert answer.status_code == 409
    assert answer.json()["code"] == "state_conflict"


async def test_a_retry_is_a_new_operation_with_the_same_model(api: Api) -> None:
    api.building.target.outcomes["r1"] = ObservedPhase.FAILED
    accepted = await api.put()
    await api.work(accepted.json())
    failed = (await api.admin.get(PATH)).json()
    api.building.target.outcomes.clear()
    api.building.target.running.clear()

    retried = await api.admin.post(f"{accepted.headers['operation-location']}/retry")
    await api.work((await api.admin.get(PATH)).json())

    assert retried.status_code == 202
    assert retried.json()["retry_of"] == failed["latest_operation"]["id"]
    live = (await api.admin.get(PATH)).json()
    assert live["state"] == "live"
    assert live["model"] == failed["model"]
    assert api.building.store.registered == 1


async def test_on_a_deployment_retry_means_its_latest_operation(api: Api) -> None:
    accepted = (await api.put()).json()
    path = f"/v1/deployments/{accepted['id']}"
    await api.admin.post(f"{path}/cancel")

    retried = await api.admin.post(f"{path}/retry")

    assert retried.status_code == 202
    assert retried.json()["id"] == accepted["id"]
    assert retried.json()["state"] == "pending"
    assert retried.headers["etag"]


async def test_only_an_ended_operation_is_retried(api: Api) -> None:
    accepted = await api.put()

    answer = await api.admin.post(f"{accepted.headers['operation-location']}/retry")

    assert answer.status_code == 409


async def test_operations_are_listed_by_state_and_deployment(api: Api) -> None:
    shown = await api.live()
    await api.put(description="waiting")

    async def listed(query: str) -> list[str]:
        page = (await api.admin.get(f"/v1/operations?{query}")).json()
        return [one["kind"] for one in page["items"]]

    assert await listed("") == ["update", "deploy"]
    assert await listed("state=queued&state=running") == ["update"]
    assert await listed(f"deployment={shown['id']}&kind=deploy") == ["deploy"]
    assert await listed("deployment=dep_other") == []


async def test_another_projects_operation_is_404(api: Api) -> None:
    accepted = await api.put()
    other = await api.caller(Scope.ADMIN, project="other")
    path = accepted.headers["operation-location"]

    shown = await other.get(path)
    canceled = await other.post(f"{path}/cancel")

    assert [shown.status_code, canceled.status_code] == [404, 404]
    assert (await other.get("/v1/operations")).json()["items"] == []
