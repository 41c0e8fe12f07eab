"""The targets by kind; new ones are their module, its options and one line here.

Modules are named, not imported: a process loads the SDKs of the targets that it
serves and of no other.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from app.core.adoption import ServiceReader
from app.core.azure_port import AzureInspector
from app.core.clock import Clock
from app.core.cluster_port import ClusterPort
from app.core.secret_port import SecretValues
from app.core.target import ModelStore, Target
from app.settings import Settings
from app.targets import azure_observer
from app.targets.azure_adoption import StandingServices
from app.targets.azure_rest import AzureRest
from app.targets.azure_transport import azure_client
from app.targets.azure_workspace import WorkspaceInspector
from app.targets.azureml_v1 import clusters
from app.targets.parts import FindWorkspace, TargetParts
from app.targets.secret_values import DeclaredSecrets

# Each module has `opened`: an async context manager around its running targets, around
# none where the settings turn them off.
_MODULES: tuple[str, ...] = ("app.targets.local", "app.targets.azureml_v1.target")
_STORE = "app.targets.mlflow_store"
_TOKENS = "app.targets.azure_tokens"


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenedTargets:
    """A worker's model store, targets by kind, secrets, and its eyes on Azure."""

    store: ModelStore
    azure: AzureInspector
    services: ServiceReader
    clusters: ClusterPort
    secrets: SecretValues
    targets: Mapping[str, Target]


@asynccontextmanager
async def opened(
    settings: Settings, *, clock: Clock, find_workspace: FindWorkspace
) -> AsyncIterator[OpenedTargets]:
    """Yield the model store, and every target that is turned on by its kind.

    When the block ends, all of their processes have ended.
    """
    async with AsyncExitStack() as stack:
        tokens = await stack.enter_async_context(_module(_TOKENS).opened(settings))
        store = await stack.enter_async_context(
            _module(_STORE).opened(settings, tokens=tokens)
        )
        client = await stack.enter_async_context(azure_client())
        rest = AzureRest(client, tokens, clock=clock)
        observer = await stack.enter_async_context(
            azure_observer.opened(rest, clock=clock)
        )
        parts = TargetParts(
            settings=settings,
            clock=clock,
            store=store,
            tokens=tokens,
            rest=rest,
            observer=observer,
            find_workspace=find_workspace,
        )
        targets: dict[str, Target] = {}
        for name in _MODULES:
            for target in await stack.enter_async_context(_module(name).opened(parts)):
                targets[target.kind] = target
        yield OpenedTargets(
            store=store,
            azure=WorkspaceInspector(rest, tokens),
            services=StandingServices(rest),
            clusters=await stack.enter_async_context(clusters.opened(parts)),
            secrets=DeclaredSecrets(
                settings.secret_declarations, tokens=tokens, client=client, clock=clock
            ),
            targets=targets,
        )


def _module(name: str) -> Any:  # noqa: ANN401 - a module is what it has
    return import_module(name)
