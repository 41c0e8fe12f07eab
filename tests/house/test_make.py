"""The commands that the documents promise."""

import re

import pytest

from tests.house.files import ROOT, tracked_files

MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = set(re.findall(r"^([a-z]+):", MAKEFILE, flags=re.MULTILINE))


@pytest.mark.parametrize("target", ["setup", "demo", "test", "check", "serve", "bench"])
def test_the_design_s_commands_exist(target: str) -> None:
    assert target in TARGETS


def test_every_target_says_in_a_line_what_it_does() -> None:
    helped = set(re.findall(r"^([a-z]+):.*## \w", MAKEFILE, flags=re.MULTILINE))

    assert helped == TARGETS


def test_every_target_sets_up_first_what_it_needs() -> None:
    without = {
        target
        for target in TARGETS
        if not re.search(rf"^{target}: \$\(READY\)", MAKEFILE, flags=re.MULTILINE)
    }

    assert without == {"help", "clean"}


def test_every_command_that_a_document_names_exists() -> None:
    named = {
        (str(path.relative_to(ROOT)), command)
        for path in tracked_files()
        if path.suffix == ".md" or path.parent.name == ".ci"
        for command in re.findall(
            r"(?:^|`)make ([a-z]+)", path.read_text(), re.MULTILINE
        )
    }

    assert {pair for pair in named if pair[1] not in TARGETS} == set()
