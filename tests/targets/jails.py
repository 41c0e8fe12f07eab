"""Small programs run confined, and what became of them."""

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from app.targets import children
from app.targets.child_log import ChildLog
from app.targets.children import Exit
from app.targets.isolation import Policy, model_server_policy

ATTEMPTS = Path(__file__).parents[1] / "attempts.py"
_REPORT = "report.json"


@dataclass(frozen=True, kw_only=True)
class Jail:
    """A model's directories below `root`, as a scoring server has them."""

    root: Path

    @property
    def model(self) -> Path:
        return self.root / "model"

    @property
    def work(self) -> Path:
        return self.root / "work"

    @property
    def log(self) -> ChildLog:
        return ChildLog(self.root / "log")

    def policy(self, environment: Mapping[str, str] | None = None) -> Policy:
        return model_server_policy(
            model=self.model,
            work=self.work,
            run=self.root / "run",
            environment=environment or {},
        )

    async def run(
        self, program: str, policy: Policy | None = None, *, python: str | None = None
    ) -> Exit:
        """Run Python source to its end."""
        argv = [python or sys.executable, "-c", program]
        child = children.start(argv, policy or self.policy(), log=self.log)
        return await child.wait()

    async def report(
        self,
        expression: str,
        environment: Mapping[str, str] | None = None,
        *,
        change: Callable[[Policy], Policy] = lambda policy: policy,
    ) -> Any:  # noqa: ANN401 - whatever the expression is
        """Return the value of an expression over the names of `tests/attempts.py`."""
        (self.model / "attempts.py").write_text(ATTEMPTS.read_text())
        program = (
            "import json, pathlib, runpy;"
            f"names = runpy.run_path({str(self.model / 'attempts.py')!r});"
            f"value = eval({expression!r}, names);"
            f"pathlib.Path({_REPORT!r}).write_text(json.dumps(value))"
        )
        ended = await self.run(program, change(self.policy(environment)))
        assert ended.status == 0, self.log.tail(50)
        return json.loads((self.work / _REPORT).read_text())


def new_jail(root: Path) -> Jail:
    for name in ("model", "work/tmp", "run"):
        (root / name).mkdir(parents=True)
    return Jail(root=root)


def unconfined(policy: Policy) -> Policy:
    """Return `policy` without what keeps a program in, for the counter-check."""
    rules = (("/", "execute"), ("/", "write"))
    return replace(policy, rules=rules, connect_ports=None, calls=b"")
