"""Tokens: who gets one, and what each surface says to a wrong one."""

import httpx
import pytest

from app.simulator.server import Simulator
from app.simulator.world import CLIENT_ID, CLIENT_SECRET
from tests.simulating import run_script
from tests.simulator.conftest import ARM, signed_in
from tests.simulator.workspaces import PROD, READ

_SCRIPT = f"""
import asyncio, json, os
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import (
    ClientSecretCredential, DefaultAzureCredential, ManagedIdentityCredential,
)
from azure.identity.aio import DefaultAzureCredential as AsyncCredential

SCOPE = "{ARM}/.default"
names = ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET")
tenant, client, secret = (os.environ[name] for name in names)
told = {{}}

def sign_in(name, credential):
    told[name] = credential.get_token(SCOPE).token.count(".")

async def sign_in_async():
    async with AsyncCredential() as credential:
        told["async"] = (await credential.get_token(SCOPE)).token.count(".")

sign_in("secret", ClientSecretCredential(tenant, client, secret))
sign_in("environment", DefaultAzureCredential())
asyncio.run(sign_in_async())
sign_in("machine", ManagedIdentityCredential())
os.environ["IDENTITY_ENDPOINT"] = os.environ["HTTP_PROXY"] + "/msi/token"
os.environ["IDENTITY_HEADER"] = "anything"
sign_in("app service", ManagedIdentityCredential())
try:
    ClientSecretCredential(tenant, client, "wrong").get_token(SCOPE)
except ClientAuthenticationError as error:
    told["wrong"] = "AADSTS7000215" in str(error)
print(json.dumps(told))
"""


async def test_azure_identity_signs_in_in_every_way_without_a_change(
    simulator: Simulator,
) -> None:
    ran = await run_script(simulator, _SCRIPT)

    jwt = 2  # dots
    assert ran.told == {
        "secret": jwt,
        "environment": jwt,
        "async": jwt,
        "machine": jwt,
        "app service": jwt,
        "wrong": True,
    }
    assert not simulator.world.journal.unexpected_hosts
    assert not simulator.world.journal.unknown()


@pytest.mark.parametrize("url", [PROD, f"{READ}{PROD}/computes"])
async def test_an_expired_token_is_refused(simulator: Simulator, url: str) -> None:
    async with signed_in(simulator, lifetime_seconds=-1) as azure:
        answer = await azure.get(url)

    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "ExpiredAuthenticationToken"
    assert "WWW-Authenticate" in answer.headers


async def test_a_token_for_another_audience_is_refused(simulator: Simulator) -> None:
    async with signed_in(simulator, audience="https://vault.azure.net") as azure:
        answer = await azure.get(PROD)

    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "InvalidAuthenticationTokenAudience"


async def test_a_token_that_somebody_else_signed_is_refused(
    azure: httpx.AsyncClient,
) -> None:
    header, claims, signature = azure.headers["Authorization"].split(".")
    forged = f"{header}.{claims}.{signature[::-1]}"

    answer = await azure.get(PROD, headers={"Authorization": forged})

    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "InvalidAuthenticationToken"


async def test_no_token_is_refused(azure: httpx.AsyncClient) -> None:
    answer = await azure.get(PROD, headers={"Authorization": ""})

    assert answer.status_code == 401


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"client_secret": "wrong"}, 7000215),
        ({"client_id": "nobody"}, 700016),
        ({"grant_type": "password"}, 70003),
    ],
)
async def test_sign_in_names_what_is_wrong(
    simulator: Simulator,
    azure: httpx.AsyncClient,
    changed: dict[str, str],
    code: int,
) -> None:
    form = {
        "grant_type": "client_credentials",
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "scope": f"{ARM}/.default",
    }

    answer = await azure.post(
        f"https://login.microsoftonline.com/{simulator.world.tenant}/oauth2/v2.0/token",
        data={**form, **changed},
    )

    assert answer.is_client_error
    assert answer.json()["error_codes"] == [code]
    assert f"AADSTS{code}" in answer.json()["error_description"]


async def test_the_secret_of_a_sign_in_is_not_written_down(
    simulator: Simulator,
) -> None:
    async with signed_in(simulator) as azure:
        await azure.post(
            "https://login.microsoftonline.com/common/oauth2/token",
            data={"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET},
        )

    seen = simulator.world.journal.seen("POST", "oauth2/token")
    assert [request.body for request in seen] == [b""]


async def test_a_token_can_be_made_to_end_early(simulator: Simulator) -> None:
    simulator.world.faults.add("short-token", parameters={"seconds": -1})
    tenant = simulator.world.tenant
    async with signed_in(simulator) as azure:
        given = await azure.post(
            f"https://login.microsoftonline.com/{tenant}/oauth2/token",
            data={
                "grant_type": "client_credentials",
                "client_id": CLIENT_ID,
                "client_secret": CLIENT_SECRET,
                "resource": ARM,
            },
        )
        token = given.json()["access_token"]
        answer = await azure.get(PROD, headers={"Authorization": f"Bearer {token}"})

    assert given.json()["expires_in"] == 3600
    assert answer.status_code == 401
