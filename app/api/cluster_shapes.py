"""What the routes of clusters take and answer, as OpenAPI describes it."""

from typing import Any

from fastapi.openapi.models import Example

from app.api import cluster_story, examples, shapes
from app.api.documents import Documented, shown
from app.core.cluster_view import ClusterView
from app.core.lifecycle import ClusterState
from app.services.previews import Preview
from app.services.removal import Removal

BODY_ERRORS = shapes.BODY_ERRORS
BODIES: dict[str, Example] = {
    "defaults": {"summary": "Create one with every default.", "value": {}},
    "create": {
        "value": {
            "mode": "create",
            "agent_count": 1,
            "cluster_purpose": "DevTest",
            "location": "eastus2",
            "leaf_domain_label": "models",
        }
    },
    "attach": {
        "value": {
            "mode": "attach",
            "resource_group": "platform",
            "cluster_name": "shared-aks",
        }
    },
}
_HEADERS = (
    "Location",
    "Operation-Location",
    "Retry-After",
    "Preference-Applied",
    "Idempotency-Replayed",
)


def found() -> Documented:
    """Return 200 with a cluster, by way of each state."""
    each = {f"cluster_{s.value}": cluster_story.cluster(s) for s in ClusterState}
    return shown(200, "The cluster.", each, model=ClusterView)


def listed() -> Documented:
    """Return 200 with clusters and computes of others."""
    page: dict[str, Any] = examples.page(
        cluster_story.cluster(ClusterState.LIVE), cluster_story.compute()
    )
    return shown(
        200,
        "The project's clusters by name, then the workspace's other computes.",
        {"clusters": {**page, "azure_error": None}},
    )


def accepted() -> Documented:
    """Return 202 with a cluster whose operation was accepted."""
    pending = {"cluster_accepted": cluster_story.cluster(ClusterState.PENDING)}
    answer = shown(202, "Accepted; an operation does it.", pending, model=ClusterView)
    return shapes.with_headers(answer, *_HEADERS)


def unchanged() -> Documented:
    """Return 200 for what already stands as asked, or with `validate_only`."""
    content = {
        "cluster_unchanged": cluster_story.cluster(ClusterState.LIVE),
        "validate_only": examples.preview(),
    }
    answer = shown(
        200,
        "It already is as asked, or the preview of `validate_only`.",
        content,
        model=ClusterView | Preview,
    )
    return shapes.with_headers(answer, "Location")


def deleting() -> Documented:
    """Return 202 for a removal, and 200 where it was under way, or for a preview."""
    started = {"cluster_deleting": cluster_story.cluster(ClusterState.DELETING)}
    again = {
        "cluster_deleting": cluster_story.cluster(ClusterState.DELETING),
        "validate_only": {
            "removes": ["cluster aks-1", "compute aks-1 of the workspace"],
            "keeps": ["the AKS cluster below aks-1"],
        },
    }
    answer = shown(202, "Accepted; an operation does it.", started, model=ClusterView)
    return shapes.with_headers(answer, *_HEADERS) | shown(
        200,
        "It was under way already, or what `validate_only` lists.",
        again,
        model=ClusterView | Removal,
    )
