"""The bounded log of a child."""

from pathlib import Path

from app.targets.child_log import ChildLog, last_error


def test_lines_come_back_in_order(tmp_path: Path) -> None:
    log = ChildLog(tmp_path / "log")
    log.write(b"one\ntwo\nthr")
    log.write(b"ee\n")

    assert log.tail(2) == ["two", "three"]
    assert log.tail(0) == []


def test_a_log_that_was_never_written_is_empty(tmp_path: Path) -> None:
    assert ChildLog(tmp_path / "log").tail(9) == []


def test_it_keeps_the_newest_and_stays_within_its_limit(tmp_path: Path) -> None:
    log = ChildLog(tmp_path / "log", limit=2000)
    for number in range(1000):
        log.write(f"line {number}\n".encode())

    lines = log.tail(10_000)

    assert lines == [f"line {number}" for number in range(1000 - len(lines), 1000)]
    assert 1000 < sum(path.stat().st_size for path in tmp_path.iterdir()) <= 2000


def test_one_write_over_the_limit_keeps_its_end(tmp_path: Path) -> None:
    log = ChildLog(tmp_path / "log", limit=2000)

    log.write(b"x" * 5000 + b"\nend\n")

    assert log.tail(1) == ["end"]
    assert (tmp_path / "log").stat().st_size == 1000


def test_what_acts_on_a_terminal_or_breaks_a_database_is_left_out(
    tmp_path: Path,
) -> None:
    log = ChildLog(tmp_path / "log")
    text = "\x1b[31mred\x1b[0m \x1b]0;title\x07\0\u009bbell\x07\u2028 \tend\n"
    log.write(text.encode() + b"\xff\n")

    assert log.tail(3) == ["red bell", " \tend", "\ufffd"]


def test_a_line_without_end_is_cut(tmp_path: Path) -> None:
    log = ChildLog(tmp_path / "log")
    log.write(b"x" * 100_000)

    assert len(log.tail(1)[0]) == 2000


def test_a_disk_that_refuses_stops_nothing(tmp_path: Path) -> None:
    ChildLog(tmp_path / "missing" / "log").write(b"lost\n")


def test_the_last_exception_is_found_among_other_lines() -> None:
    lines = [
        "Traceback (most recent call last):",
        '  File "a.py", line 1, in <module>',
        "ValueError: first",
        "",
        "During handling of the above exception, another exception occurred:",
        "",
        "Traceback (most recent call last):",
        '  File "b.py", line 2, in load',
        "    raise",
        "app.WeightsError: second: with a colon",
        "INFO: shutting down",
    ]

    assert last_error(lines) == "app.WeightsError: second: with a colon"
    assert last_error(["INFO: nothing"]) is None
