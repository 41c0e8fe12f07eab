"""Whether a service can be what it is asked to be, in this workspace, now."""

from collections.abc import Mapping

from app.simulator.clusters import Cluster, Clusters
from app.simulator.errors import AzureError
from app.simulator.model_registry import ModelRegistry
from app.simulator.paths import bad_request, text_of, texts_of
from app.simulator.service_documents import ACI, AKS, Document, complete, section
from app.simulator.service_rules import check_document, check_name
from app.simulator.services import ServiceBook


def name_conflict(name: str) -> AzureError:
    """Return the 409 for a name that is taken."""
    return AzureError(
        409,
        "Conflict",
        "Conflict",
        details=(
            (
                "ServiceExists",
                (
                    f"Service {name} with the same name already exists, please use a "
                    "different service name or delete the existing service."
                ),
            ),
        ),
    )


def validate(book: ServiceBook, body: Mapping[str, object]) -> None:
    """Raise what creating a service would be refused with."""
    _, compute_type = check_identity(book, body)
    document = complete(compute_type, body, book.workspace.region)
    check_document(compute_type, document)
    check_references(book, compute_type, document)


def check_identity(book: ServiceBook, body: Mapping[str, object]) -> tuple[str, str]:
    """Return the name and compute type asked for; 409 where the name is taken."""
    name = text_of(body, "name") or ""
    check_name(name)
    compute_type = (text_of(body, "computeType") or "").upper()
    if compute_type not in {ACI, AKS}:
        raise bad_request("ComputeTypeInvalid", f"No compute type {compute_type!r}.")
    text_of(body, "description")
    for field in ("kvTags", "properties"):
        texts_of(body, field)
    existing = book.find(name)
    if existing is not None and not body.get("overwrite"):
        raise name_conflict(name)
    return name, compute_type


def check_references(book: ServiceBook, compute_type: str, document: Document) -> None:
    """Raise unless image, models and compute of a service are all there."""
    request = section(document, "environmentImageRequest")
    if not request and not document.get("imageId"):
        raise bad_request(
            "ImageMissing", "environmentImageRequest or imageId must be provided."
        )
    registry = book.workspace.part(ModelRegistry)
    listed = request.get("modelIds")
    for model_id in listed if isinstance(listed, list) else []:
        registry.get(str(model_id))
    if compute_type == AKS:
        _cluster(book, document)


def _cluster(book: ServiceBook, document: Document) -> Cluster:
    name = str(document.get("computeName") or "")
    cluster = book.workspace.part(Clusters).find(name)
    if cluster is None:
        raise AzureError(
            404,
            "NotFound",
            "Not found",
            details=(("ComputeNotFound", f"Compute {name} not found."),),
        )
    if cluster.state != "Succeeded":
        raise bad_request(
            "ComputeNotReady", f"Compute {name} is in state {cluster.state}."
        )
    return cluster
