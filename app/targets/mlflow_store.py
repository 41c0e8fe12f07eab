"""MLflow stores, asked from outside of their processes: find, resolve, inspect, fetch.

MLflow itself runs only in the children of `app.targets.store_pool`.
"""

import asyncio
import os
import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, assert_never

from app.core.errors import InvalidError
from app.core.lease import Lease
from app.core.model_uri import (
    AliasUri,
    LatestUri,
    LoggedModelUri,
    ModelUri,
    RunModelUri,
    VersionUri,
)
from app.core.target import ModelFacts, ResolvedModel, ResolveRequest
from app.core.workspace import AzureMlWorkspace, MlflowWorkspace, Workspace
from app.settings import Settings
from app.targets.azure_network import AzureNetwork, network_of
from app.targets.failures import model_not_found, store_unavailable
from app.targets.model_files import FileLimits, check_tree
from app.targets.registration import RunModel, register_once
from app.targets.store_access import AzureAccess
from app.targets.store_azure import scope_of
from app.targets.store_child import StoreChild, Stores
from app.targets.store_locations import StoreLocation, check_store_uri
from app.targets.store_pool import PoolSettings, StorePool
from app.targets.tokens import RevocableTokens


@dataclass(frozen=True, kw_only=True, slots=True)
class StoreDeadlines:
    """How long a store may take to answer, in seconds."""

    question_seconds: float = 60.0
    fetch_seconds: float = 1800.0


@dataclass(frozen=True, kw_only=True, slots=True)
class AzureWay:
    """How workspaces of Azure ML are reached; `network` is asked at each question."""

    tokens: RevocableTokens
    network: Callable[[], AzureNetwork]


class MlflowStore:
    """The model stores of all workspaces; implements `app.core.target.ModelStore`.

    `directory` is for its children alone and lies on the same file system as what
    `fetch` is to fill. Without `azure` no workspace of Azure ML is served. Call `start`
    and `close` from the event loop's thread.
    """

    def __init__(
        self,
        directory: Path,
        *,
        local_stores: Sequence[Path],
        azure: AzureWay | None = None,
        limits: FileLimits | None = None,
        pool: PoolSettings | None = None,
        deadlines: StoreDeadlines | None = None,
    ) -> None:
        self._local_stores = tuple(path.resolve() for path in local_stores)
        self._azure = azure
        self._limits = limits or FileLimits()
        self._deadlines = deadlines or StoreDeadlines()
        self._pool = StorePool(
            directory, allowed=self._local_stores, settings=pool or PoolSettings()
        )

    async def start(self) -> None:
        """Have a child ready for the first question, some seconds from now."""
        await self._pool.start()

    async def close(self) -> None:
        """End the children."""
        await self._pool.close()

    async def find(self, workspace: Workspace, uri: ModelUri) -> ResolvedModel | None:
        """Return the version that `uri` names now; None if it needs registering.

        Changes nothing. Raises TargetError (`model_not_found`) if it names nothing.
        """
        async with self._child(workspace) as child:
            return await self._find(child, uri)

    async def resolve(self, request: ResolveRequest, lease: Lease) -> ResolvedModel:
        """Return the version for the request, registering a run's model once.

        However often it is called, by whichever worker, one version is in use: the
        lowest that was made of that very model under that name. Raises TargetError,
        or LeaseLostError before a write.
        """
        async with self._child(request.workspace) as child:
            found = await self._find(child, request.uri)
            if found is not None:
                return found
            located = await self._locate(child, request.uri)
            version = await register_once(
                child,
                located,
                request=request,
                lease=lease,
                seconds=self._deadlines.question_seconds,
            )
            return _resolved(request.register_as, str(version))

    async def inspect(self, workspace: Workspace, model: ResolvedModel) -> ModelFacts:
        """Return what the version's files say, without loading the model."""
        async with self._child(workspace) as child:
            answer = await self._ask(
                child, "inspect", {"name": model.name, "version": model.version}
            )
        return ModelFacts(**{**answer, "flavors": tuple(answer["flavors"])})

    async def fetch(
        self, workspace: Workspace, model: ResolvedModel, destination: Path
    ) -> None:
        """Make the directory `destination` with the version's files in it.

        It appears whole or not at all. Raises TargetError, `model_refused` for a
        model with symlinks, with paths that lead out of it, or over the limits.
        """
        async with self._child(workspace) as child:
            fetched = child.work / secrets.token_hex(8)
            arguments = {
                "name": model.name,
                "version": model.version,
                "into": str(fetched),
                "max_bytes": self._limits.max_bytes,
                "max_files": self._limits.max_files,
            }
            await child.ask("fetch", arguments, seconds=self._deadlines.fetch_seconds)
            # Looked at again from here: the child has spoken with a stranger.
            await asyncio.to_thread(check_tree, fetched, self._limits)
            fetched.rename(destination)

    @asynccontextmanager
    async def _child(self, workspace: Workspace) -> AsyncIterator[StoreChild]:
        """Give the caller a child that asks the stores of `workspace` and no other."""
        identity = workspace.identity
        match identity:
            case MlflowWorkspace():
                stores, access = self._stores(identity), None
            case AzureMlWorkspace():
                stores, access = _azure_stores(identity), self._access(identity)
            case _:
                assert_never(identity)
        async with self._pool.lend(stores, access=access) as child:
            yield child

    def _stores(self, identity: MlflowWorkspace) -> Stores:
        uris = [identity.tracking_uri, identity.registry_uri or identity.tracking_uri]
        try:
            # Each time: a directory may have become a symlink in the meantime.
            return tuple(
                check_store_uri(uri, local_stores=self._local_stores)
                for uri in dict.fromkeys(uris)
            )
        except InvalidError as error:
            raise store_unavailable(error.detail, transient=False) from error

    def _access(self, identity: AzureMlWorkspace) -> AzureAccess:
        if self._azure is None:
            raise store_unavailable(
                "this process has no credentials for Azure", transient=False
            )
        return AzureAccess(
            workspace=identity,
            tokens=self._azure.tokens,
            network=self._azure.network(),
        )

    async def _find(self, child: StoreChild, uri: ModelUri) -> ResolvedModel | None:
        question: tuple[str, dict[str, Any]]
        match uri:
            case VersionUri(name=name, version=version):
                question = ("version", {"name": name, "version": version})
            case AliasUri(name=name, alias=alias):
                question = ("aliased", {"name": name, "alias": alias})
            case LatestUri(name=name, stage=stage):
                question = ("newest", {"name": name, "stage": stage})
            case RunModelUri() | LoggedModelUri():
                await self._locate(child, uri)
                return None
        answer = await self._ask(child, *question)
        return _resolved(answer["name"], answer["version"])

    async def _locate(self, child: StoreChild, uri: ModelUri) -> RunModel:
        match uri:
            case RunModelUri(run_id=run_id, path=path):
                name, question = f"runs:/{run_id}/{path}", "locate_run_model"
                answer = await self._ask(
                    child, question, {"run_id": run_id, "path": path}
                )
            case LoggedModelUri(model_id=model_id):
                name, question = f"models:/{model_id}", "locate_logged_model"
                answer = await self._ask(child, question, {"model_id": model_id})
            case _:
                raise model_not_found("it is not a model that a run has logged")
        return RunModel(uri=name, **answer)

    async def _ask(
        self, child: StoreChild, operation: str, arguments: dict[str, Any]
    ) -> dict[str, Any]:
        seconds = self._deadlines.question_seconds
        return await child.ask(operation, arguments, seconds=seconds)


@asynccontextmanager
async def opened(
    settings: Settings, *, tokens: RevocableTokens
) -> AsyncIterator[MlflowStore]:
    """Yield the stores that `settings` allow; their children end with the block.

    Workspaces of Azure ML are reached as this process's environment says: its proxy
    and its CA.
    """
    store = MlflowStore(
        settings.data_dir / "store-children",
        local_stores=settings.local_stores,
        azure=AzureWay(tokens=tokens, network=partial(network_of, os.environ)),
    )
    await store.start()
    try:
        yield store
    finally:
        await store.close()


def _azure_stores(identity: AzureMlWorkspace) -> Stores:
    scope = scope_of(identity)
    return (StoreLocation(uri=scope.tracking_uri, azure=scope),)


def _resolved(name: str, version: str) -> ResolvedModel:
    return ResolvedModel(name=name, version=version, uri=f"models:/{name}/{version}")
