"""What the targets of one worker share, and what each module of targets opens."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from app.core.clock import Clock
from app.core.target import ModelStore, ResolvedModel
from app.core.workspace import Workspace
from app.settings import Settings
from app.targets.azure_observer import AzureObserver
from app.targets.azure_rest import AzureRest
from app.targets.tokens import TokenSource

# The workspace of that id as it stands now, whatever a handle was made with. Raises
# NotFoundError.
FindWorkspace = Callable[[str], Awaitable[Workspace]]


class FetchingStore(ModelStore, Protocol):
    """A model store that also brings a version's files to this machine."""

    async def fetch(
        self, workspace: Workspace, model: ResolvedModel, destination: Path
    ) -> None:
        """Make the directory `destination`, whole or not at all."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class TargetParts:
    """One worker's parts, as every module of targets gets them."""

    settings: Settings
    clock: Clock
    store: FetchingStore
    tokens: TokenSource
    rest: AzureRest
    observer: AzureObserver
    find_workspace: FindWorkspace
