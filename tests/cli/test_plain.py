"""What is printed of a stranger's text."""

import json

import pytest

from app.cli.plain import as_json, one_line, plain


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;a new title\x07text", "text"),
        ("\x1b]0;never ended", ""),
        ("\x9b31mtext", "31mtext"),
        ("back\x08space\rreturn", "backspacereturn"),
        ("\u202egnp.exe", "gnp.exe"),
        ("a\ud800b", "ab"),
        ("Grüße, 世界 🚀", "Grüße, 世界 🚀"),
        ("two\nlines\tand a tab", "two\nlines\tand a tab"),
    ],
)
def test_nothing_is_left_that_acts_on_a_terminal(text: str, printed: str) -> None:
    assert plain(text) == printed


def test_one_line_is_one_line_and_keeps_its_indentation() -> None:
    assert one_line("  File x\n    line 2\u2028\r\n") == "  File x line 2"


def test_json_escapes_what_acts_on_a_terminal_and_stays_the_same_value() -> None:
    value = {"name": "\x1b[31m\x7f\x9bé"}

    text = as_json(value, indent=None)

    assert json.loads(text) == value
    assert text.isascii()
    assert text.isprintable()
