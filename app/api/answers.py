"""Deployments and operations as answers: body, status and headers in one place."""

from fastapi import Response
from pydantic import TypeAdapter
from pydantic_core import to_json

from app.api.conditional import etag
from app.api.legacy import legacy_headers
from app.core.deployment import Deployment, Operation
from app.core.view import (
    DeploymentView,
    OperationView,
    view_deployment,
    view_operation,
)
from app.services.changes import Accepted
from app.services.events import deployment_json, operation_json
from app.services.idempotency import Answer

JSON = "application/json"
POLL_SECONDS = 2

_DEPLOYMENT = TypeAdapter(DeploymentView)
_OPERATION = TypeAdapter(OperationView)


def show_deployment(
    deployment: Deployment, operation: Operation, base_url: str
) -> Response:
    """Return 200 with the deployment and its ETag."""
    view = view_deployment(deployment, operation, base_url=base_url)
    return Response(
        _DEPLOYMENT.dump_json(view),
        media_type=JSON,
        headers={
            "ETag": etag(deployment),
            "Cache-Control": "no-cache",
            **legacy_headers(deployment.spec.target.kind),
        },
    )


def show_operation(operation: Operation, base_url: str) -> Response:
    """Return 200 with the operation; Retry-After while it has not ended."""
    view = view_operation(operation, base_url=base_url)
    headers = {"Cache-Control": "no-cache"}
    if not operation.state.is_terminal:
        headers["Retry-After"] = str(POLL_SECONDS)
    return Response(_OPERATION.dump_json(view), media_type=JSON, headers=headers)


def accepted_answer(accepted: Accepted, base_url: str) -> Answer:
    """Return the answer to a change: 202 if it started something, else 200.

    It is what an Idempotency-Key keeps, so it says nothing that grows old.
    """
    deployment, operation = accepted.deployment, accepted.operation
    headers = {
        "ETag": etag(deployment),
        "Location": f"{base_url}/v1/deployments/{deployment.id}",
        **legacy_headers(deployment.spec.target.kind),
    }
    if accepted.is_new:
        headers["Operation-Location"] = f"{base_url}/v1/operations/{operation.id}"
        headers["Retry-After"] = str(POLL_SECONDS)
    return Answer(
        status=202 if accepted.is_new else 200,
        body=deployment_json(base_url, deployment, operation),
        headers=headers,
    )


def operation_answer(operation: Operation, base_url: str) -> Answer:
    """Return the 202 to whatever was asked of an operation, or started one."""
    own = f"{base_url}/v1/operations/{operation.id}"
    return Answer(
        status=202,
        body=operation_json(base_url, operation),
        headers={
            "Location": own,
            "Operation-Location": own,
            "Retry-After": str(POLL_SECONDS),
        },
    )


def to_response(answer: Answer) -> Response:
    """Return `answer` on the wire, secrets shown where it still has them."""
    headers = {**answer.headers, "Cache-Control": "no-store"}
    if answer.is_replayed:
        headers["Idempotency-Replayed"] = "true"
    return Response(
        to_json({**answer.body, **answer.secret_fields}),
        status_code=answer.status,
        headers=headers,
        media_type=JSON,
    )
