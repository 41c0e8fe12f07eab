"""A simulator in this process, and a plain HTTP client that reaches it as a proxy."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from app.simulator.server import Simulator
from app.simulator.tokens import Tokens
from app.simulator.world import CLIENT_ID
from tests.simulating import running_simulator

ARM = "https://management.azure.com"


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    async with running_simulator() as running:
        yield running


@pytest.fixture
async def azure(simulator: Simulator) -> AsyncIterator[httpx.AsyncClient]:
    """A client that is signed in to ARM."""
    async with signed_in(simulator) as client:
        yield client


@pytest.fixture
async def control(simulator: Simulator) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the control API."""
    async with httpx.AsyncClient(
        base_url=f"{simulator.url}/control", trust_env=False
    ) as client:
        yield client


@asynccontextmanager
async def signed_in(
    simulator: Simulator, *, audience: str = ARM, lifetime_seconds: int = 3600
) -> AsyncIterator[httpx.AsyncClient]:
    token = simulator.world.part(Tokens).issue(
        CLIENT_ID, audience, lifetime_seconds=lifetime_seconds
    )
    async with httpx.AsyncClient(
        proxy=simulator.url,
        verify=ssl.create_default_context(cafile=str(simulator.ca_file)),
        trust_env=False,
        base_url=ARM,
        headers={"Authorization": f"Bearer {token}"},
        params={"api-version": "2020-02-02"},
    ) as client:
        yield client
