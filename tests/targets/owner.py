"""A process that owns two children and waits to be killed: one that would rather
ignore every signal, and one that is still on its way through the trampoline.
"""

import asyncio
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from app.targets import children
from tests.support import eventually
from tests.targets.jails import new_jail

_STUBBORN = (
    "import signal, time;"
    "signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    "signal.signal(signal.SIGHUP, signal.SIG_IGN);"
    "print('up', flush=True); time.sleep(600)"
)


async def main(directory: Path) -> None:
    jail = new_jail(directory)
    argv = [sys.executable, "-c", _STUBBORN]
    first = children.start(argv, jail.policy(), log=jail.log)
    await eventually(lambda: jail.log.tail(1) == ["up"])
    second = children.start(argv, jail.policy(), log=jail.log)
    sys.stdout.write(f"{first.pid} {second.pid}\n")
    sys.stdout.flush()
    await first.wait()


asyncio.run(main(Path(sys.argv[1])))
