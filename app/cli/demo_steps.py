"""The demo's steps as a reader sees them: numbered, timed, summed up at the end."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.table import Table

from app.cli.progress import PhaseTime


@dataclass(kw_only=True, slots=True)
class Step:
    """One step: `outcome` is one line for the table, `phases` what it was made of."""

    title: str
    outcome: str = ""
    seconds: float = 0.0
    phases: list[PhaseTime] = field(default_factory=list)


class Steps:
    """Prints each step as it begins and keeps how long it took."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.done: list[Step] = []

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        """Print a step with its number and time it; one that fails is not `done`."""
        self.console.print()
        self.console.print(f"{len(self.done) + 1}. {title}", style="bold")
        began, step = time.monotonic(), Step(title=title)
        yield step
        step.seconds = time.monotonic() - began
        self.done.append(step)

    def say(self, line: str) -> None:
        """Print one line below the present step."""
        self.console.print(f"   {line}")

    @contextmanager
    def waiting(self, reason: str) -> Iterator[None]:
        """Say what is waited for; on a terminal, something moves meanwhile."""
        if not self.console.is_terminal:
            self.say(f"({reason})")
            yield
            return
        with self.console.status(f"   {reason}"):
            yield

    def table(self) -> Table:
        """Return what happened and how long each part took."""
        table = Table("", "what happened", "seconds", "phases", title="The demo")
        table.columns[2].justify = "right"
        for number, step in enumerate(self.done, start=1):
            phases = ", ".join(f"{p.phase} {p.seconds:.1f}" for p in step.phases)
            outcome = step.outcome or step.title
            table.add_row(str(number), outcome, f"{step.seconds:.1f}", phases)
        total = sum(step.seconds for step in self.done)
        table.add_section()
        table.add_row("", "in all", f"{total:.1f}", "")
        return table
