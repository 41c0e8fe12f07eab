"""The words in which failures about clusters are told, each in one place."""

from app.core.cluster_port import Compute
from app.core.failure import Blame, Evidence, Failure, FailureCode

_LONGEST_CAUSE = 2000  # characters


def cluster_failed(seen: Compute) -> Failure:
    """Return why a compute is not as it should be, by Azure's own errors."""
    if seen.failure is not None:
        return seen.failure
    errors = seen.provisioning_errors
    said = "; ".join(f"{error.code}: {error.message}" for error in errors)
    return Failure(
        code=FailureCode.CLUSTER_FAILED,
        message=f"Azure did not provision the cluster: {seen.provisioning_state}.",
        cause=said[:_LONGEST_CAUSE] or None,
        remedy="Mend what `cause` names and retry the operation, which replaces what "
        "is left of it at Azure; or delete the cluster.",
        retryable=True,
        blame=Blame.AZURE,
        evidence=Evidence(azure_code=errors[0].code if errors else None),
    )


def delete_failed(failure: Failure) -> Failure:
    """Return the failure of a removal that Azure did not confirm."""
    return Failure(
        code=FailureCode.DELETE_FAILED,
        message="Azure did not confirm that the cluster is gone.",
        cause=failure.cause or failure.message,
        remedy="Retry the operation; if it stays, delete the compute at Azure first.",
        retryable=True,
        blame=failure.blame if failure.blame is not Blame.CALLER else Blame.SLIPWAY,
        evidence=failure.evidence,
    )


def no_cluster(name: str) -> Failure:
    """Return the failure of a deployment to a cluster that does not exist."""
    return Failure(
        code=FailureCode.RESOURCE_NOT_FOUND,
        message=f"The workspace has no cluster {name}.",
        remedy="Create or attach it with PUT /v1/workspaces/{workspace}/clusters/"
        f"{name}, or name one that GET …/clusters lists; then retry the operation.",
        retryable=True,
        blame=Blame.CALLER,
    )


def no_kubernetes(seen: Compute) -> Failure:
    """Return the failure of a deployment to a compute of another kind."""
    return Failure(
        code=FailureCode.OPTIONS_REFUSED,
        message=f"The compute {seen.name} is of the kind {seen.kind}, not AKS.",
        remedy="Name a compute of the kind AKS in target.compute_target_name.",
        retryable=False,
        blame=Blame.CALLER,
    )


def not_becoming(name: str, state: str, cause: str | None) -> Failure:
    """Return the failure of a deployment to a cluster that will not be there."""
    return Failure(
        code=FailureCode.CLUSTER_FAILED,
        message=f"The cluster {name} is {state}: nothing can be deployed to it.",
        cause=cause,
        remedy=f"Mend the cluster {name} (its latest operation says what is wrong), "
        "then retry this operation.",
        retryable=True,
        blame=Blame.CALLER,
    )
