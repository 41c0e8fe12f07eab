"""The targets by kind; a new one is its module, its options and one line here.

Modules are named, not imported: a process loads the SDKs of the targets that it
serves and of no other.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from importlib import import_module
from typing import Any, Protocol

from app.core.clock import Clock
from app.core.target import ModelStore, Target
from app.settings import Settings

# Each module has `opened`: an async context manager around the running target, or
# around None where the settings turn it off.
_TARGETS: Mapping[str, str] = {
    "local": "app.targets.local",
}
_STORE = "app.targets.mlflow_store"


class Parts(Protocol):
    """What targets take from the process that they run in."""

    @property
    def clock(self) -> Clock:
        """Return the process's clock."""
        ...


@asynccontextmanager
async def opened(
    parts: Parts, settings: Settings
) -> AsyncIterator[tuple[ModelStore, Mapping[str, Target]]]:
    """Yield the model store, and every target that is turned on by its kind.

    When the block ends, all of their processes have ended.
    """
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(_module(_STORE).opened(settings))
        targets: dict[str, Target] = {}
        for kind, name in _TARGETS.items():
            opening = _module(name).opened(settings, store=store, clock=parts.clock)
            target = await stack.enter_async_context(opening)
            if target is not None:
                targets[kind] = target
        yield store, targets


def _module(name: str) -> Any:  # noqa: ANN401 - a module is what it has
    return import_module(name)
