"""An example of everything that callers send and are shown, as JSON."""

from dataclasses import replace
from typing import Any

from pydantic import TypeAdapter

from app.api import cluster_story, story
from app.core.azure_view import CheckName
from app.core.event import DeploymentLive, EventType
from app.core.failure import FailureCode
from app.core.lifecycle import DeploymentState, OperationState
from app.core.view import (
    RevisionView,
    WorkspaceView,
    view_revision,
    view_workspace,
)
from app.core.workspace import AzureMlWorkspace
from app.services.events import deployment_json, operation_json

BASE = story.BASE


def put_body() -> dict[str, Any]:
    """Return the body of a PUT."""
    return {
        "model": {"uri": story.SPEC.model.uri},
        "target": {"kind": "local"},
        "description": story.SPEC.description,
        "tags": dict(story.SPEC.tags),
    }


def post_body() -> dict[str, Any]:
    """Return the body of a POST."""
    return {"name": "diabetes-model-1", "workspace": "prod", **put_body()}


def deployment(state: DeploymentState) -> dict[str, Any]:
    """Return the deployment in `state`, as answers show it."""
    return deployment_json(BASE, story.deployment(state), story.latest_operation(state))


def operation(state: OperationState) -> dict[str, Any]:
    """Return an operation in `state`, as answers show it."""
    return operation_json(BASE, story.operation(state))


def failed_operations() -> dict[str, Any]:
    """Return one operation for each code with which one can end."""
    return {f"{code}_error": _ended_with(code) for code in FailureCode}


def preview() -> dict[str, Any]:
    """Return what `validate_only` says of a change."""
    change = {
        "pointer": "/tags",
        "old": {},
        "new": dict(story.SPEC.tags),
        "effect": "in_place",
    }
    return {
        "outcome": "change",
        "effect": "in_place",
        "changes": [change],
        "findings": [],
        "model": {
            "name": story.MODEL.name,
            "version": story.MODEL.version,
            "uri": story.MODEL.uri,
        },
    }


def removal() -> dict[str, Any]:
    """Return what `validate_only` says of a deletion."""
    return {
        "removes": ["deployment diabetes-model-1", "revision 1 at the target, as r1"],
        "keeps": [f"registered model version {story.MODEL.uri}"],
    }


def revision() -> dict[str, Any]:
    """Return a revision, as lists show it."""
    shown = view_revision(story.revision(), name="diabetes-model-1", serving=1)
    return dict(TypeAdapter(RevisionView).dump_python(shown, mode="json"))


def workspace() -> dict[str, Any]:
    """Return a workspace, as answers show it."""
    shown = view_workspace(story.workspace(), base_url=BASE)
    return dict(TypeAdapter(WorkspaceView).dump_python(shown, mode="json"))


def azureml_body() -> dict[str, Any]:
    """Return the body that declares a workspace of Azure Machine Learning."""
    identity = TypeAdapter(AzureMlWorkspace).dump_python(
        story.AZUREML_IDENTITY, mode="json"
    )
    return {**identity, "projects": ["default"]}


def azureml_workspace() -> dict[str, Any]:
    """Return a workspace of Azure Machine Learning, as answers show it."""
    declared = replace(story.workspace(), identity=story.AZUREML_IDENTITY)
    shown = view_workspace(declared, base_url=BASE)
    return dict(TypeAdapter(WorkspaceView).dump_python(shown, mode="json"))


def check() -> dict[str, Any]:
    """Return how the checks of a workspace ended."""
    checks = [
        _check(CheckName.SIGN_IN, "The credential signed in."),
        {
            **_check(CheckName.QUOTA, "2 of 10 container groups are left."),
            "status": "warning",
            "remedy": "Ask for more quota of the region in Azure's portal.",
        },
    ]
    return {"workspace": "prod", "ok": True, "checks": checks}


def quota() -> dict[str, Any]:
    """Return the quota of a region, as lists show it."""
    usage = {
        "name": "standardDSv2Family",
        "family": "Standard DSv2 Family vCPUs",
        "used": 8,
        "limit": 100,
        "unit": "Count",
    }
    return page(usage)


def services() -> dict[str, Any]:
    """Return what serves in a workspace, ours and somebody else's."""
    ours = {
        "kind": "aci",
        "name": "diabetes-model-1",
        "state": "Healthy",
        "managed_by": "slipway",
        "deployment": story.DEPLOYMENT,
        "scoring_uri": "http://diabetes-model-1.eastus2.azurecontainer.io/score",
        "problem": None,
    }
    others = {
        **ours,
        "name": "churn",
        "managed_by": "other",
        "deployment": None,
        "scoring_uri": "http://churn.eastus2.azurecontainer.io/score",
    }
    return {**page(ours, others), "problems": []}


def adopted() -> dict[str, Any]:
    """Return what adopting a service answers."""
    return page(deployment(DeploymentState.LIVE))


def _check(name: CheckName, detail: str) -> dict[str, Any]:
    return {"name": name.value, "status": "ok", "detail": detail, "remedy": None}


def keys() -> dict[str, Any]:
    """Return the keys of an endpoint; these open nothing."""
    return {
        "primary": "an-example-of-a-primary-key-0001",
        "secondary": "an-example-of-a-secondary-key-01",
    }


def token() -> dict[str, Any]:
    """Return a token for an endpoint; this one opens nothing."""
    return {
        "token": "eyJhbGciOiJub25lIn0.an-example.",
        "expires_at": "2026-11-22T21:30:00Z",
        "refresh_after": "2026-11-22T20:30:00Z",
    }


def event(kind: type[EventType]) -> dict[str, Any]:
    """Return an event of `kind` in the one envelope."""
    data: dict[str, Any] = {
        "deployment": deployment(DeploymentState.LIVE),
        "operation": operation(OperationState.SUCCEEDED),
    }
    if kind.subject == "webhook":
        data = {"webhook": webhook()}
    if kind.subject == "cluster":
        data = cluster_story.event_data()
    return {
        "id": "evt_01kanzq4w0h8q60pav5f2y1e4x",
        "type": kind.name,
        "timestamp": story.ENDED_AT.isoformat().replace("+00:00", "Z"),
        "sequence": 7,
        "data": data,
    }


def webhook() -> dict[str, Any]:
    """Return a registered webhook, as answers show it."""
    own = f"{BASE}/v1/webhooks/wh_01kanzq4w0j9r71qbw6g3z2f5y"
    moment = story.STARTED_AT.isoformat().replace("+00:00", "Z")
    return {
        "id": "wh_01kanzq4w0j9r71qbw6g3z2f5y",
        "name": "portal",
        "project": "default",
        "url": "https://portal.example.com/slipway",
        "events": ["deployment.*"],
        "enabled": True,
        "disabled_reason": None,
        "deployment": None,
        "created_by": "ci",
        "created_at": moment,
        "updated_at": moment,
        "links": {"self": own, "deliveries": f"{own}/deliveries"},
    }


def delivery() -> dict[str, Any]:
    """Return a delivery that succeeded at once, as lists show it."""
    moment = story.ENDED_AT.isoformat().replace("+00:00", "Z")
    event_id, webhook_id = event(DeploymentLive)["id"], webhook()["id"]
    return {
        "id": "dlv_01kanzq4w0p2va4ze9k615j8b1",
        "webhook": webhook_id,
        "event": event_id,
        "event_type": DeploymentLive.name,
        "message_id": f"{event_id}-{webhook_id}",
        "state": "succeeded",
        "attempts": [
            {
                "number": 1,
                "started_at": moment,
                "duration_seconds": 0.031,
                "status": 204,
                "error": None,
                "response_head": None,
            }
        ],
        "next_attempt_at": None,
        "created_at": moment,
        "finished_at": moment,
    }


def ping() -> dict[str, Any]:
    """Return the answer to a ping."""
    return {
        "event": "evt_01kanzq4w0h8q60pav5f2y1e4x",
        "delivery": "dlv_01kanzq4w0p2va4ze9k615j8b1",
        "links": {"deliveries": f"{webhook()['links']['self']}/deliveries"},
    }


def page(*items: Any) -> dict[str, Any]:  # noqa: ANN401
    """Return a list's last page with `items`."""
    return {"items": list(items), "next_cursor": None}


def _ended_with(code: FailureCode) -> dict[str, Any]:
    is_canceled = code in {FailureCode.CANCELED, FailureCode.SUPERSEDED}
    state = OperationState.CANCELED if is_canceled else OperationState.FAILED
    ended = replace(story.operation(state), error=story.failure(code))
    return operation_json(BASE, ended)
