"""The clusters of Azure ML workspaces: read over REST, changed by azureml-core."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import fields
from typing import Any, assert_never
from urllib.parse import quote

from app.core.cluster_port import (
    ClusterMark,
    ClusterRequest,
    Compute,
    ComputePhase,
    UnderlyingAction,
)
from app.core.cluster_spec import AnyClusterSpec, AttachCluster, CreateCluster
from app.core.lease import Lease
from app.core.workspace import Workspace
from app.targets.azure_call import Call
from app.targets.azure_paths import WORKSPACE_API, azure_identity, workspace_path
from app.targets.azure_rest import AzureRest
from app.targets.azureml_v1.cluster_documents import (
    missing,
    name_taken,
    read_compute,
    tags_of,
)
from app.targets.azureml_v1.sdk_errors import error_of_answer
from app.targets.azureml_v1.sdk_pool import SdkPool, SdkPoolSettings
from app.targets.azureml_v1.sdk_wire import Outcome
from app.targets.parts import TargetParts
from app.targets.tokens import TokenSource

_NOT_FOUND = 404
_SSL = ("ssl_cname", "leaf_domain_label", "overwrite_existing_domain")
_SECRET = ("ssl_cert_pem", "ssl_key_pem")
_CHANGEABLE = ("load_balancer_type", "load_balancer_subnet")


class AzureClusters:
    """Implements ClusterPort; what of it writes goes out under the lease."""

    def __init__(self, rest: AzureRest, pool: SdkPool, tokens: TokenSource) -> None:
        self._rest = rest
        self._pool = pool
        self._tokens = tokens

    async def find(self, workspace: Workspace, name: str) -> Compute:
        """Look at one compute, MISSING if there is none."""
        path = f"{_computes(workspace)}/{quote(name, safe='')}"
        call = Call(path=path, query=WORKSPACE_API, accepts=frozenset({_NOT_FOUND}))
        answer = await self._rest.send(workspace, call)
        if answer.status == _NOT_FOUND:
            return missing(name)
        return read_compute(answer.body)

    async def find_all(self, workspace: Workspace) -> Sequence[Compute]:
        """Look at every compute; one that cannot be read is shown as far as it can."""
        call = Call(path=_computes(workspace), query=WORKSPACE_API)
        found = [read_compute(one) for one in await self._rest.listed(workspace, call)]
        return sorted(found, key=lambda one: one.name.lower())

    async def apply(self, request: ClusterRequest, lease: Lease) -> Compute:
        """Create, attach, change, or only find; see ClusterPort."""
        seen = await self.find(request.workspace, request.name)
        operation = _first_operation(request.spec)
        if seen.phase is not ComputePhase.MISSING:
            if not seen.is_marked_by(request.mark):
                raise name_taken(seen)
            is_left_over = _is_left_over(seen, request.mark)
            if is_left_over and request.may_replace:
                return await self._clear(request, seen, lease)
            if not is_left_over and not _is_to_change(seen, request):
                return seen
            operation = "cluster_change"
        arguments = {
            "name": request.name,
            "tags": tags_of(request.mark, request.fingerprint),
            "ssl": {name: getattr(request.spec, name) for name in _SSL},
            "certificates": {
                name: request.secrets[name]
                for name in _SECRET
                if name in request.secrets
            },
            "options": _options(request.spec, operation),
        }
        return await self._ask(operation, arguments, request, lease)

    async def remove(
        self,
        workspace: Workspace,
        name: str,
        action: UnderlyingAction,
        *,
        mark: ClusterMark,
        lease: Lease,
    ) -> Compute:
        """Delete or detach our compute, once Azure is not at work on it."""
        seen = await self.find(workspace, name)
        if seen.phase is ComputePhase.MISSING or not seen.is_marked_by(mark):
            return missing(name)
        if seen.phase in {ComputePhase.CHANGING, ComputePhase.DELETING}:
            return seen
        # What others made is never deleted with its compute: Azure refuses it too.
        kept = UnderlyingAction.DETACH if seen.is_attached else action
        arguments = {"name": name, "action": kept.value}
        answer = await self._change(workspace, "cluster_remove", arguments, lease)
        left = await self.find(workspace, name)
        is_begun = left.phase in {ComputePhase.MISSING, ComputePhase.DELETING}
        if answer is not None and not is_begun:
            raise answer
        return left

    async def _clear(
        self, request: ClusterRequest, seen: Compute, lease: Lease
    ) -> Compute:
        """Take away what an earlier operation of the same cluster left failed."""
        return await self.remove(
            request.workspace,
            seen.name,
            UnderlyingAction.DELETE,
            mark=request.mark,
            lease=lease,
        )

    async def _ask(
        self,
        operation: str,
        arguments: dict[str, Any],
        request: ClusterRequest,
        lease: Lease,
    ) -> Compute:
        """Have azureml-core make a change, and find out whether it was made."""
        error = await self._change(request.workspace, operation, arguments, lease)
        seen = await self.find(request.workspace, request.name)
        is_made = seen.spec_fingerprint == request.fingerprint
        if error is not None and not (is_made and seen.is_marked_by(request.mark)):
            raise error
        return seen

    async def _change(
        self,
        workspace: Workspace,
        operation: str,
        arguments: dict[str, Any],
        lease: Lease,
    ) -> Exception | None:
        """Return why azureml-core did not get an answer of success; None if it did."""
        async with self._pool.lend(azure_identity(workspace)) as child:
            answer = await child.change(
                operation, arguments, lease=lease, tokens=self._tokens
            )
        return None if answer.outcome is Outcome.DONE else error_of_answer(answer)


@asynccontextmanager
async def opened(parts: TargetParts) -> AsyncIterator[AzureClusters]:
    """Yield the worker's clusters; with the block, their processes have ended.

    They have children of their own, so that a cluster never waits behind services.
    """
    pool = SdkPool(
        parts.settings.data_dir / "cluster-children",
        settings=SdkPoolSettings(most_at_work=2),
    )
    await pool.start()
    try:
        yield AzureClusters(parts.rest, pool, parts.tokens)
    finally:
        await pool.close()


def _is_left_over(seen: Compute, mark: ClusterMark) -> bool:
    """Whether it failed for an operation before this one."""
    return seen.phase is ComputePhase.FAILED and seen.operation != mark.operation


def _is_to_change(seen: Compute, request: ClusterRequest) -> bool:
    """Whether it stands there, at rest, and as something else was wanted."""
    is_as_wanted = seen.spec_fingerprint == request.fingerprint
    return seen.phase is ComputePhase.READY and not is_as_wanted


def _first_operation(spec: AnyClusterSpec) -> str:
    match spec:
        case CreateCluster():
            return "cluster_create"
        case AttachCluster():
            return "cluster_attach"
        case _:
            assert_never(spec)


def _options(spec: AnyClusterSpec, operation: str) -> dict[str, Any]:
    """Return azureml-core's arguments, but for those about certificates."""
    names = [f.name for f in fields(spec) if f.name not in {*_SSL, *_SECRET, "mode"}]
    if operation == "cluster_change":
        names = list(_CHANGEABLE)
    given = {name: getattr(spec, name) for name in names}
    if "agent_count" in given and isinstance(spec, CreateCluster):
        given["agent_count"] = spec.agents
    return given


def _computes(workspace: Workspace) -> str:
    return f"{workspace_path(azure_identity(workspace))}/computes"
