"""What the worker's environment says of the way to Azure."""

from pathlib import Path

import pytest

from app.core.failure import TargetError
from app.targets.azure_network import network_of


@pytest.mark.parametrize(
    ("environment", "ports"),
    [
        ({}, {443}),
        ({"HTTPS_PROXY": "http://proxy:3128"}, {3128}),
        ({"https_proxy": "proxy:3128"}, {3128}),
        ({"HTTPS_PROXY": "https://user:word@proxy"}, {443}),
        ({"HTTP_PROXY": "http://proxy"}, {80, 443}),
        ({"HTTPS_PROXY": "http://proxy:3128", "NO_PROXY": "blob.x"}, {3128, 443}),
    ],
)
def test_only_the_ports_on_the_way_are_open(
    environment: dict[str, str], ports: set[int]
) -> None:
    assert network_of(environment).ports() == ports


def test_only_what_leads_to_azure_is_taken_from_the_environment() -> None:
    network = network_of(
        {"HTTPS_PROXY": "http://proxy:1", "NO_PROXY": "", "AZURE_CLIENT_SECRET": "x"}
    )

    assert network.variables == {"HTTPS_PROXY": "http://proxy:1"}
    assert network.ca_bundle is None


def test_the_certificates_themselves_are_handed_on(tmp_path: Path) -> None:
    bundle = "-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n"
    for name in ("first.pem", "second.pem"):
        (tmp_path / name).write_text(bundle + name)

    both = {
        "REQUESTS_CA_BUNDLE": str(tmp_path / "first.pem"),
        "SSL_CERT_FILE": str(tmp_path / "second.pem"),
    }

    assert network_of(both).ca_bundle == f"{bundle}first.pem"
    del both["REQUESTS_CA_BUNDLE"]
    assert network_of(both).ca_bundle == f"{bundle}second.pem"


def test_a_ca_file_that_is_no_use_is_named(tmp_path: Path) -> None:
    empty = tmp_path / "empty.pem"
    empty.touch()

    for path in (tmp_path / "missing.pem", empty, tmp_path):
        with pytest.raises(TargetError) as error:
            network_of({"SSL_CERT_FILE": str(path)})
        assert str(path) in error.value.failure.message
        assert "SSL_CERT_FILE" in error.value.failure.remedy


@pytest.mark.parametrize(
    "proxy", ["ftp://proxy", "http://proxy:port", "http://p:99999"]
)
def test_a_proxy_that_is_none_is_told(proxy: str) -> None:
    with pytest.raises(TargetError) as error:
        network_of({"HTTPS_PROXY": proxy}).ports()

    assert "HTTPS_PROXY" in error.value.failure.message
