"""How the command line tells what happens: events as lines, failures in full."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from app.cli.answers import Event, Failure
from app.cli.plain import one_line, plain

_LOG_LINES = 15


@dataclass(frozen=True, kw_only=True, slots=True)
class PhaseTime:
    """How long one phase of an operation took, by the service's own clock."""

    phase: str
    seconds: float


class OperationLog:
    """Tells one operation's events: a line each, with the time since it was accepted.

    Replayed events tell the same times, because they carry the service's clock.
    """

    def __init__(self, console: Console, spinner: Progress) -> None:
        self._console = console
        self._spinner = spinner
        self._task = spinner.add_task("waiting", total=None)
        self._accepted_at: datetime | None = None
        self._phase: tuple[str, datetime] | None = None
        self.times: list[PhaseTime] = []

    def tell(self, event: Event) -> None:
        """Print the event, and remember when its phase began."""
        self._accepted_at = self._accepted_at or event.timestamp
        name = event.type.partition(".")[2]
        operation = event.data.operation
        if name == "phase_changed" and operation is not None and operation.phase:
            name = operation.phase
            self._enter(name, event.timestamp)
        elif operation is not None and operation.has_ended:
            self._enter(None, event.timestamp)
        self._print(event, name)

    def _enter(self, phase: str | None, at: datetime) -> None:
        if self._phase is not None:
            ended, began_at = self._phase
            seconds = (at - began_at).total_seconds()
            self.times.append(PhaseTime(phase=ended, seconds=seconds))
        self._phase = None if phase is None else (phase, at)
        self._spinner.reset(self._task, description=one_line(phase or "ended"))

    def _print(self, event: Event, name: str) -> None:
        since = event.timestamp - (self._accepted_at or event.timestamp)
        detail, operation = event.data.detail or "", event.data.operation
        # A phase's detail only names it again, and a failure is told in full below.
        is_told = operation is not None and operation.has_ended and operation.error
        words = "" if detail == name or is_told else one_line(detail)
        label = "" if name == "progress" else one_line(name)
        line = f"{since.total_seconds():8.1f} s  {label:<16} {words}"
        self._console.print(line.rstrip())


@contextmanager
def telling(console: Console) -> Iterator[OperationLog]:
    """Yield a log; on a terminal, a clock of the running phase turns below it."""
    spinner = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    with spinner:
        yield OperationLog(console, spinner)


def tell_failure(console: Console, failure: Failure, *, kind: str, state: str) -> None:
    """Print why an operation did not succeed, and what mends it."""
    console.print(f"The {one_line(kind)} {state}: {one_line(failure.message)}")
    named = (
        ("code", failure.code),
        ("cause", failure.cause),
        ("remedy", failure.remedy),
        ("blame", failure.blame),
        ("azure code", failure.evidence.azure_code),
        ("correlation", " ".join(failure.evidence.correlation_ids)),
    )
    for label, text in named:
        if text:
            console.print(f"  {label:<12} {_indented(text)}")
    if failure.evidence.log_tail:
        console.print("  last log lines")
        for line in failure.evidence.log_tail[-_LOG_LINES:]:
            console.print(f"    | {one_line(line)}")


def console_for(*, error: bool = False) -> Console:
    """Return a console that prints text as it is, never read as markup."""
    return Console(
        stderr=error, markup=False, emoji=False, highlight=False, soft_wrap=True
    )


def _indented(text: str) -> str:
    return plain(text).strip().replace("\n", "\n" + " " * 15)
