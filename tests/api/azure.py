"""The API over a workspace of Azure, with targets that have keys and tokens."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx

from app.core.credential import CredentialDeclarations, DefaultCredential
from app.core.declared_secret import EnvironmentSecret, SecretDeclarations
from tests.api.house import Api, housed
from tests.keyed import FakeAciTarget, FakeAksTarget

WORKSPACE: Mapping[str, Any] = {
    "kind": "azureml",
    "subscription_id": "5d2c1f0e-8b7a-4c6d-9e3f-2a1b0c9d8e7f",
    "resource_group": "ml",
    "workspace_name": "prod",
    "region": "eastus2",
}
PATH = "/v1/workspaces/azure/deployments/diabetes"
TARGETS: Mapping[str, Mapping[str, Any]] = {
    "aci": {"kind": "aci"},
    "aks": {"kind": "aks", "compute_target_name": "cluster"},
}
CREDENTIALS = CredentialDeclarations(by_name={"default": DefaultCredential()})
SECRETS = SecretDeclarations(
    by_name={
        "ours": EnvironmentSecret(
            kind="environment", variable="OURS", projects=("default",)
        ),
        "theirs": EnvironmentSecret(
            kind="environment", variable="THEIRS", projects=("other",)
        ),
    }
)


def body(kind: str = "aci", **options: Any) -> dict[str, Any]:  # noqa: ANN401
    return {
        "model": {"uri": "runs:/a1/model"},
        "target": {**TARGETS[kind], **options},
    }


@asynccontextmanager
async def azure_housed(database_url: str) -> AsyncIterator[Api]:
    """Open the house with the workspace `azure` declared."""
    async with housed(
        database_url, credentials=CREDENTIALS, declared_secrets=SECRETS
    ) as api:
        api.building.others = {"aci": FakeAciTarget(), "aks": FakeAksTarget()}
        declared = await api.admin.put("/v1/workspaces/azure", json=dict(WORKSPACE))
        assert declared.status_code == 201, declared.text
        yield api


def aci(api: Api) -> FakeAciTarget:
    """The house's fake of Azure Container Instances."""
    target = api.building.others["aci"]
    assert isinstance(target, FakeAciTarget)
    return target


async def asked(
    api: Api,
    sent: Awaitable[httpx.Response],
    *,
    answers: int = 1,
) -> httpx.Response:
    """Send what a worker must be asked for, and let it answer."""

    async def answer() -> None:
        for _ in range(answers):
            await api.answer_query()

    answered, _ = await asyncio.gather(sent, answer())
    return answered


async def bring_up(api: Api, kind: str = "aci", **options: Any) -> dict[str, Any]:  # noqa: ANN401
    """PUT a deployment, let a worker bring it up, and return it."""
    accepted = await api.admin.put(PATH, json=body(kind, **options))
    assert accepted.status_code == 202, accepted.text
    await api.work(accepted.json())
    shown = dict((await api.admin.get(PATH)).json())
    # Each test would else fail in a way of its own.
    assert shown["state"] == "live", shown["latest_operation"]["error"]
    return shown
