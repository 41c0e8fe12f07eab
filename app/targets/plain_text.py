"""A stranger's text, made fit for terminals, logs and the database."""

import re

# Everything that could act on a terminal or that a database refuses: escape sequences
# whole, then any other control character, tabs and line ends aside.
_ESCAPES = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)?|.)?")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def plain_text(text: str, *, longest: int) -> str:
    """Return `text` without control characters and with at most `longest` others."""
    return _CONTROLS.sub("", _ESCAPES.sub("", text))[:longest]
