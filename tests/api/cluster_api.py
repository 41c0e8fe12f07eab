"""The API with clusters, and the worker behind it."""

import asyncio
from dataclasses import dataclass

import httpx

from app.runner.queries import QueryRunner
from tests.api.house import Api
from tests.fake_clusters import ClusterHouse

PATH = "/v1/workspaces/azure/clusters/aks-1"
LIST = "/v1/workspaces/azure/clusters"


@dataclass(kw_only=True)
class ClusterApi:
    """The API, and the worker behind it."""

    api: Api
    house: ClusterHouse

    @property
    def admin(self) -> httpx.AsyncClient:
        return self.api.admin

    async def work_off(self, answer: httpx.Response) -> None:
        """Do the operation that an answer names, as a worker does."""
        operation_id = answer.json()["latest_operation"]["id"]
        operation = await self.house.building.operation(operation_id)
        await self.house.advance(operation)

    async def listed(self) -> httpx.Response:
        """The list, with a worker to answer what only Azure can tell."""
        asked = asyncio.create_task(self.admin.get(LIST))
        query = await self.api.open_query()
        await QueryRunner(self.house.work()).answer(
            self.house.building.job(), query_id=query
        )
        return await asked
