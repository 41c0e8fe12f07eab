"""The one port: only Azure's names are answered, and nothing is passed on."""

import asyncio
import json
import socket
import ssl

import httpx
import pytest

from app.simulator.server import Simulator
from tests.simulating import running_simulator
from tests.simulator.conftest import signed_in
from tests.simulator.workspaces import PROD


async def test_a_tunnel_to_another_host_is_refused_and_written_down(
    simulator: Simulator, azure: httpx.AsyncClient
) -> None:
    with pytest.raises(httpx.ProxyError, match="403"):
        await azure.get("https://example.com/")
    with pytest.raises(httpx.ProxyError, match="403"):
        await azure.get("https://management.azure.com.example.com/")

    assert simulator.world.journal.unexpected_hosts == {
        "example.com:443": 1,
        "management.azure.com.example.com:443": 1,
    }


async def test_a_tunnel_to_another_port_of_azure_is_refused(
    azure: httpx.AsyncClient,
) -> None:
    with pytest.raises(httpx.ProxyError, match="403"):
        await azure.get("https://management.azure.com:22/")


async def test_a_plain_request_for_another_host_is_refused_and_written_down(
    simulator: Simulator, azure: httpx.AsyncClient
) -> None:
    answer = await azure.get("http://169.254.169.253/metadata/")

    assert answer.status_code == 403
    assert simulator.world.journal.unexpected_hosts == {"169.254.169.253": 1}


async def test_a_host_inside_a_tunnel_must_be_azures_too(
    simulator: Simulator, azure: httpx.AsyncClient
) -> None:
    answer = await azure.get(PROD, headers={"Host": "example.com"})

    assert answer.status_code == 403
    assert "example.com" in simulator.world.journal.unexpected_hosts


async def test_the_control_api_is_not_reached_through_azures_names(
    azure: httpx.AsyncClient,
) -> None:
    over_tls = await azure.get("/control/state")
    proxied = await azure.get("http://169.254.169.254/control/state")

    assert over_tls.status_code == 404
    assert proxied.status_code == 403


async def test_tls_without_a_proxy_is_answered_for_the_name_asked(
    simulator: Simulator,
) -> None:
    context = ssl.create_default_context(cafile=str(simulator.ca_file))
    name = "management.azure.com"
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", simulator.port, ssl=context, server_hostname=name
    )

    writer.write(
        f"GET /metadata/endpoints HTTP/1.1\r\nHost: {name}\r\n"
        "Connection: close\r\n\r\n".encode()
    )
    body = (await reader.read()).partition(b"\r\n\r\n")[2]
    writer.close()

    assert json.loads(body)[0]["name"] == "AzureCloud"


async def test_clients_that_hang_or_talk_nonsense_harm_nobody(
    simulator: Simulator, azure: httpx.AsyncClient
) -> None:
    with (
        socket.create_connection(("127.0.0.1", simulator.port)) as silent,
        socket.create_connection(("127.0.0.1", simulator.port)) as half,
        socket.create_connection(("127.0.0.1", simulator.port)) as broken,
    ):
        half.sendall(b"CONNECT management.azure.com:443 HTTP/1.1\r\nHost")
        broken.sendall(b"\x16\x03nonsense that is no handshake")
        answer = await azure.get(PROD)
        assert silent.fileno() >= 0

    assert answer.status_code == 200


async def test_a_header_in_two_pieces_opens_a_tunnel(simulator: Simulator) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", simulator.port)

    writer.write(b"CONNECT management.azure.com:443 HTTP/1.1\r\nHost: m")
    await writer.drain()
    await asyncio.sleep(0)
    writer.write(b"anagement.azure.com:443\r\n\r\n")
    answer = await reader.readuntil(b"\r\n\r\n")
    writer.close()

    assert answer.startswith(b"HTTP/1.1 200 ")


async def test_nothing_is_left_after_the_end() -> None:
    async with running_simulator() as simulator, signed_in(simulator) as azure:
        await azure.get(PROD)

    assert not simulator.ca_file.exists()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", simulator.port)).close()
