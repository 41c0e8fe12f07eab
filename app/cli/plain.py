"""What a server or a model says, made fit for a terminal."""

import json
import re
from typing import Any

# Escape sequences go whole, then every other control character; what turns the
# direction of writing could make one command look like another.
_ESCAPES = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)?|.)?")
_CONTROLS = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069"
    r"\ud800-\udfff]"
)
_LINE_END = re.compile(r"\s*[\t\n]\s*")


def plain(text: str) -> str:
    """Return `text` without anything that acts on a terminal; lines stay lines."""
    return _CONTROLS.sub("", _ESCAPES.sub("", text))


def one_line(text: str) -> str:
    """Return `text` as `plain` does, on one line, indented as it was."""
    return _LINE_END.sub(" ", plain(text)).rstrip()


def as_json(value: Any, *, indent: int | None = 2) -> str:  # noqa: ANN401
    """Return `value` as JSON with controls escaped; without `indent`, on one line."""
    return json.dumps(value, indent=indent).replace("\x7f", "\\u007f")
