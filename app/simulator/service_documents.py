"""What a v1 web service is made of: Azure's defaults for what a request leaves out."""

import copy
from collections.abc import Mapping
from types import MappingProxyType

Document = dict[str, object]

ACI = "ACI"
AKS = "AKS"

# Never shown again once they arrived.
_SECRET = frozenset({"keys", "sslKey"})
_UNSTORED = frozenset({"keys", "overwrite", "name", "computeType"})

_ACI_DEFAULTS: Mapping[str, object] = MappingProxyType(
    {
        "containerResourceRequirements": {
            "cpu": 0.1,
            "cpuLimit": None,
            "memoryInGB": 0.5,
            "memoryInGBLimit": None,
            "gpu": None,
        },
        "authEnabled": False,
        "sslEnabled": False,
        "appInsightsEnabled": False,
        "dataCollection": {"storageEnabled": False, "eventHubEnabled": False},
        "sslCertificate": None,
        "sslKey": None,
        "cname": None,
        "dnsNameLabel": None,
        "encryptionProperties": None,
        "vnetConfiguration": None,
    }
)
_AKS_DEFAULTS: Mapping[str, object] = MappingProxyType(
    {
        "computeName": None,
        "numReplicas": None,
        "autoScaler": {
            "autoscaleEnabled": None,
            "minReplicas": 1,
            "maxReplicas": 10,
            "refreshPeriodInSeconds": 1,
            "targetUtilization": 70,
        },
        "dataCollection": {"storageEnabled": False, "eventHubEnabled": False},
        "appInsightsEnabled": False,
        "authEnabled": None,
        "aadAuthEnabled": False,
        "containerResourceRequirements": {
            "cpu": 0.1,
            "cpuLimit": None,
            "memoryInGB": 0.5,
            "memoryInGBLimit": None,
            "gpu": 0,
        },
        "maxConcurrentRequestsPerContainer": 1,
        "maxQueueWaitMs": 500,
        "scoringTimeoutMs": 60_000,
        "livenessProbeRequirements": {
            "periodSeconds": 10,
            "initialDelaySeconds": 310,
            "timeoutSeconds": 2,
            "successThreshold": 1,
            "failureThreshold": 3,
        },
        "namespace": None,
        "storageInitEnabled": False,
    }
)


def section(document: Mapping[str, object], name: str) -> Document:
    """Return an object inside a document, empty where there is none."""
    value = document.get(name)
    return value if isinstance(value, dict) else {}


def texts(document: Mapping[str, object], name: str) -> dict[str, str]:
    """Return a map of texts inside a document, as a copy."""
    return {str(key): str(each) for key, each in section(document, name).items()}


def complete(compute_type: str, request: Mapping[str, object], region: str) -> Document:
    """Return the stored document of a request, with Azure's defaults for the rest.

    Every field that the request has a value for is kept, also one unknown here.
    """
    defaults = _AKS_DEFAULTS if compute_type == AKS else _ACI_DEFAULTS
    document = merged(copy.deepcopy(dict(defaults)), request)
    for name in _UNSTORED:
        document.pop(name, None)
    document["kvTags"] = texts(request, "kvTags")
    document["properties"] = texts(request, "properties")
    document.setdefault("description", None)
    document["location"] = document.get("location") or region
    if compute_type == AKS:
        _settle_choices(document)
    return document


def shown(document: Mapping[str, object]) -> Document:
    """Return a copy of a stored document without its secrets."""
    visible = copy.deepcopy(dict(document))
    for name in _SECRET & visible.keys():
        # The SDK needs the field to be there.
        visible[name] = None
    return visible


def merged(base: Document, over: Mapping[str, object]) -> Document:
    """Return `base` with every value of `over` that is one, object by object."""
    for name, value in over.items():
        held = base.get(name)
        if isinstance(value, Mapping) and isinstance(held, dict):
            merged(held, value)
        elif value is not None:
            base[name] = copy.deepcopy(value)
        else:
            base.setdefault(name, None)
    return base


def _settle_choices(document: Document) -> None:
    scaler = section(document, "autoScaler")
    if scaler.get("autoscaleEnabled") is None:
        scaler["autoscaleEnabled"] = document.get("numReplicas") is None
    if document.get("authEnabled") is None:
        document["authEnabled"] = not document.get("aadAuthEnabled")
