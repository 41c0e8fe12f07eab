"""Services as `GET services` shows them."""

from app.simulator.model_documents import CREATOR, model_document
from app.simulator.model_registry import ModelRegistry
from app.simulator.service_documents import AKS, Document, section, shown
from app.simulator.services import ServiceRecord
from app.simulator.world import SimulatedWorkspace


def service_document(
    workspace: SimulatedWorkspace, record: ServiceRecord, *, expand: bool
) -> Document:
    """Return a service without its secrets; its models and environment if `expand`."""
    document = shown(record.document)
    if record.is_planted:
        if "state" in document:
            document["state"] = record.state
        return document
    if not expand:
        document.pop("environmentImageRequest", None)
    document |= _identity(record) | _times(record)
    if record.compute_type == AKS:
        document["deploymentStatus"] = _replicas(record)
    else:
        document |= _network(record)
    if expand:
        document["models"] = _models(workspace, record)
    return document


def _identity(record: ServiceRecord) -> Document:
    uri = record.scoring_uri
    return {
        "id": record.name,
        "name": record.name,
        "computeType": record.compute_type,
        "deploymentType": "HttpRealtimeEndpoint",
        "state": record.state,
        "error": record.error,
        "operationId": record.operation_id,
        "scoringUri": uri,
        "swaggerUri": uri.removesuffix("/score") + "/swagger.json" if uri else None,
        "imageId": record.document.get("imageId"),
        "imageDigest": None,
        "modelConfigMap": {},
    }


def _times(record: ServiceRecord) -> Document:
    return {
        "createdBy": dict(CREATOR),
        "createdTime": record.created_at.isoformat(),
        "updatedTime": record.updated_at.isoformat(),
    }


def _network(record: ServiceRecord) -> Document:
    host = (record.scoring_uri or "").partition("//")[2].partition("/")[0]
    return {
        "publicFqdn": host or None,
        "publicIp": "203.0.113.250" if host else None,
    }


def _replicas(record: ServiceRecord) -> Document:
    wanted = record.document.get("numReplicas")
    if wanted is None:
        wanted = section(record.document, "autoScaler").get("minReplicas")
    ready = wanted if record.is_serving else 0
    return {
        "replicas": wanted,
        "updatedReplicas": wanted,
        "availableReplicas": ready,
        "error": record.error,
    }


def _models(workspace: SimulatedWorkspace, record: ServiceRecord) -> list[Document]:
    registry = workspace.part(ModelRegistry)
    found = []
    for model_id in record.wanted_models:
        name, _, version = model_id.rpartition(":")
        model = registry.find(name, int(version)) if version.isdecimal() else None
        if model is not None:
            found.append(model_document(model))
    return found
