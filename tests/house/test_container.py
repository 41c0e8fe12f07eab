"""What runs in production runs with as little as it needs."""

import re
import subprocess
import sys
from typing import Any

import pytest
import yaml

from tests.house.files import ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())


def test_the_images_come_from_the_official_python_image_alone() -> None:
    stages = set(re.findall(r"^FROM \S+ AS (\S+)", DOCKERFILE, flags=re.MULTILINE))
    bases = set(re.findall(r"^FROM (\S+)", DOCKERFILE, flags=re.MULTILINE))

    assert bases - stages == {"${PYTHON_IMAGE}"}
    assert re.search(r"^ARG PYTHON_IMAGE=python:\S+-slim$", DOCKERFILE, re.MULTILINE)


def test_no_instruction_goes_through_a_shell() -> None:
    commands = re.findall(
        r"^ *(?:RUN|CMD|ENTRYPOINT)((?: --\S+)*) +(.)", DOCKERFILE, re.MULTILINE
    )

    assert commands
    assert {first for _, first in commands} == {"["}


def test_nothing_unpinned_is_installed_into_an_image() -> None:
    installs = re.findall(r'^RUN .*pip".*"install".*$', DOCKERFILE, re.MULTILINE)

    assert installs
    for line in installs:
        assert "--require-hashes" in line or "--no-index" in line


def test_the_image_runs_as_a_user_without_rights() -> None:
    assert re.findall(r"^USER (\S+)", DOCKERFILE, re.MULTILINE) == ["10001:10001"]


def test_the_compose_file_is_valid() -> None:
    schema = ["--builtin-schema", "vendor.compose-spec"]
    finished = subprocess.run(  # noqa: S603 - our own interpreter and file
        [sys.executable, "-m", "check_jsonschema", *schema, "docker-compose.yml"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert finished.returncode == 0, finished.stdout


@pytest.mark.parametrize("name", sorted(COMPOSE["services"]))
def test_every_service_is_confined(name: str) -> None:
    service = COMPOSE["services"][name]

    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


@pytest.mark.parametrize("name", sorted(COMPOSE["services"]))
def test_no_secret_stands_in_the_environment(name: str) -> None:
    environment = COMPOSE["services"][name].get("environment", {})

    secret = re.compile("PASSWORD$|KEY|SECRET|TOKEN|DATABASE_URL")
    assert [key for key in environment if secret.search(key)] == []


def test_only_the_api_is_published_and_only_on_the_loopback() -> None:
    services = COMPOSE["services"].items()
    published = {name: one["ports"] for name, one in services if "ports" in one}

    assert list(published) == ["api"]
    assert all(port.startswith("127.0.0.1:") for port in published["api"])
