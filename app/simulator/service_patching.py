"""Which fields of a service a patch may change, and the document after it."""

import copy
from collections.abc import Sequence

from app.simulator.patches import Patch
from app.simulator.service_documents import AKS, Document, section, texts

_COMMON = frozenset(
    {
        "kvTags",
        "properties",
        "description",
        "authEnabled",
        "appInsightsEnabled",
        "environmentImageRequest",
        "imageId",
        "dataCollection",
    }
)
_ACI_ONLY = frozenset({"sslEnabled", "sslCertificate", "sslKey", "cname"})
_AKS_ONLY = frozenset(
    {
        "aadAuthEnabled",
        "autoScaler",
        "containerResourceRequirements",
        "livenessProbeRequirements",
        "maxConcurrentRequestsPerContainer",
        "maxQueueWaitMs",
        "namespace",
        "numReplicas",
        "scoringTimeoutMs",
    }
)


def changed(
    compute_type: str, document: Document, patches: Sequence[Patch]
) -> Document:
    """Return the document after all patches; Azure's 400 if one cannot be made."""
    after = copy.deepcopy(document)
    allowed = _COMMON | (_AKS_ONLY if compute_type == AKS else _ACI_ONLY)
    for patch in patches:
        if patch.field not in allowed:
            raise patch.refused()
        _apply(after, patch)
    scaler = section(after, "autoScaler")
    counted = any(patch.field == "numReplicas" for patch in patches)
    if scaler.get("autoscaleEnabled") and not counted:
        after["numReplicas"] = None
    return after


def _apply(document: Document, patch: Patch) -> None:
    match patch.field:
        case "kvTags":
            document["kvTags"] = patch.texts(texts(document, "kvTags"))
        case "properties":
            document["properties"] = patch.added(texts(document, "properties"))
        case "description":
            document["description"] = patch.text()
        case _ if patch.member:
            _apply_member(document, patch)
        case _:
            removes = patch.operation == "remove"
            document[patch.field] = None if removes else patch.value


def _apply_member(document: Document, patch: Patch) -> None:
    holder = section(document, patch.field)
    if patch.member not in holder:
        raise patch.refused()
    holder[patch.member] = None if patch.operation == "remove" else patch.value
