"""A compute as Azure shows it, read into ours; nothing in it is taken for granted."""

from collections.abc import Mapping, Sequence
from typing import Any

from app.core.cluster import ProvisioningError
from app.core.cluster_port import ClusterMark, Compute, ComputePhase
from app.core.failure import Blame, Failure, FailureCode, TargetError
from app.targets.azure_failures import AzureProblem, failure_of
from app.targets.plain_text import plain_text

_PREFIX = "slipway."
_LONGEST = 2000  # characters of one error
_MOST_ERRORS = 20
_PHASES = {
    "Succeeded": ComputePhase.READY,
    "Failed": ComputePhase.FAILED,
    "Canceled": ComputePhase.FAILED,
    "Deleting": ComputePhase.DELETING,
}


def tags_of(mark: ClusterMark, fingerprint: str) -> dict[str, str]:
    """Return our mark as the tags of a compute."""
    return {
        f"{_PREFIX}installation": mark.installation,
        f"{_PREFIX}cluster": mark.cluster,
        f"{_PREFIX}operation": mark.operation,
        f"{_PREFIX}epoch": str(mark.epoch),
        f"{_PREFIX}spec": fingerprint,
    }


def missing(name: str) -> Compute:
    """Return the look at a compute that is not there."""
    return Compute(
        name=name, kind="", phase=ComputePhase.MISSING, provisioning_state=""
    )


def read_compute(
    document: Any,  # noqa: ANN401 - JSON of somebody else's making
    *,
    retry_after_seconds: float | None = None,
) -> Compute:
    """Return what a compute's document says; states that we do not know are changes."""
    whole = _object(document)
    outer = _object(whole.get("properties"))
    inner = _object(outer.get("properties"))
    tags = _object(whole.get("tags"))
    state = _text(outer, "provisioningState") or "Unknown"
    phase = _PHASES.get(state, ComputePhase.CHANGING)
    said = _errors(outer.get("provisioningErrors"))
    agents = inner.get("agentCount")
    return Compute(
        name=_text(whole, "name") or "",
        kind=_text(outer, "computeType") or "",
        phase=phase,
        provisioning_state=state,
        provisioning_errors=tuple(_read_error(one) for one in said),
        is_attached=outer.get("isAttachedCompute") is True,
        location=_text(outer, "computeLocation") or _text(whole, "location"),
        resource_id=_text(outer, "resourceId"),
        vm_size=_text(inner, "agentVmSize") or _text(inner, "vmSize"),
        agent_count=agents if isinstance(agents, int) else None,
        cluster_purpose=_text(inner, "clusterPurpose"),
        installation=_text(tags, f"{_PREFIX}installation"),
        cluster=_text(tags, f"{_PREFIX}cluster"),
        operation=_text(tags, f"{_PREFIX}operation"),
        spec_fingerprint=_text(tags, f"{_PREFIX}spec"),
        retry_after_seconds=retry_after_seconds,
        failure=_failure(said) if phase is ComputePhase.FAILED else None,
    )


def name_taken(seen: Compute) -> TargetError:
    """Return the permanent error for a compute that is not ours; it stays as it is."""
    whose = (
        f"made for the cluster {seen.cluster} of another installation of Slipway"
        if seen.cluster
        else "without a mark of Slipway's"
    )
    return TargetError(
        Failure(
            code=FailureCode.NAME_TAKEN_AT_TARGET,
            message=f"The workspace has another compute named {seen.name!r}; "
            "nothing was touched.",
            cause=f"a compute of the kind {seen.kind}, in the state "
            f"{seen.provisioning_state}, {whose}",
            remedy="Deploy to it as it is, which needs no cluster of Slipway's, or "
            "choose another name.",
            retryable=False,
            blame=Blame.CALLER,
        )
    )


def _failure(said: Sequence[Mapping[str, Any]]) -> Failure | None:
    """Return the failure that Azure's first error tells of, None without one."""
    if not said:
        return None
    inner = said[0].get("error")
    return failure_of(AzureProblem(error=inner if isinstance(inner, dict) else said[0]))


def _errors(value: object) -> Sequence[Mapping[str, Any]]:
    """Return errors that Azure shows as a list, as one object, or not at all."""
    several = value if isinstance(value, list) else [value]
    return [one for one in several if isinstance(one, dict)][:_MOST_ERRORS]


def _read_error(error: Mapping[str, Any]) -> ProvisioningError:
    inner = _object(error.get("error")) or error
    return ProvisioningError(
        code=plain_text(_text(inner, "code") or "Unknown", longest=100),
        message=plain_text(_text(inner, "message") or "", longest=_LONGEST),
    )


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(document: Mapping[str, Any], name: str) -> str | None:
    value = document.get(name)
    return value if isinstance(value, str) and value else None
