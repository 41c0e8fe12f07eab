"""A trial transaction keeps nothing, whatever was done in it."""

from app.services.changes import Accepted, create
from app.services.previews import preview
from app.storage import jobs, operations
from app.storage.database import Transaction
from tests.building import OPTIONS, built, spec


async def test_what_an_action_did_is_told_and_undone(database_url: str) -> None:
    async with built(database_url) as building:
        context = building.context

        async def action(tx: Transaction) -> Accepted:
            return await create(
                context, tx, building.workspace, "tried", spec=spec(), options=OPTIONS
            )

        found = await preview(context, action)

        async with context.database.reading() as connection:
            waiting = await operations.admitted_and_open(connection)
            counted = await jobs.count_jobs(connection)

    assert found.outcome == "create"
    assert {change.pointer for change in found.changes} >= {"/model", "/target"}
    assert list(waiting) == []
    assert list(counted) == []
