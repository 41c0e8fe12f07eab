"""What Azure refuses in a service's document, with the reason in the details."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from app.simulator.errors import AzureError
from app.simulator.service_documents import AKS, Document, section

_NAME = re.compile(r"(?=.{3,32}$)[a-z]([-a-z0-9]*[a-z0-9])?")
_NAMESPACE = re.compile(r"[a-z0-9]([a-z0-9-]{,61}[a-z0-9])?")
_LABEL = re.compile(r"[a-z]([-a-z0-9]{1,61}[a-z0-9])")


@dataclass(frozen=True, slots=True)
class _Range:
    """A number that must be above `above` and at most `at_most`."""

    part: str
    name: str
    above: float = 0
    at_most: float = float("inf")

    def complaint(self, document: Mapping[str, object]) -> str | None:
        holder = section(document, self.part) if self.part else document
        value, path = holder.get(self.name), f"{self.part}.{self.name}".lstrip(".")
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float):
            return f"{path} must be a number."
        if value <= self.above:
            return f"{path} must be greater than {self.above:g}."
        if value > self.at_most:
            return f"{path} must not be greater than {self.at_most:g}."
        return None


_RESOURCES = "containerResourceRequirements"
# The largest container group of Container Instances in most regions.
_ACI_RANGES = (
    _Range(_RESOURCES, "cpu", at_most=4),
    _Range(_RESOURCES, "memoryInGB", at_most=16),
)
_AKS_RANGES = (
    _Range(_RESOURCES, "cpu"),
    _Range(_RESOURCES, "cpuLimit"),
    _Range(_RESOURCES, "memoryInGB"),
    _Range(_RESOURCES, "memoryInGBLimit"),
    _Range(_RESOURCES, "gpu", above=-1),
    _Range("", "numReplicas"),
    _Range("", "maxConcurrentRequestsPerContainer"),
    _Range("", "maxQueueWaitMs"),
    _Range("", "scoringTimeoutMs"),
    _Range("autoScaler", "minReplicas"),
    _Range("autoScaler", "maxReplicas"),
    _Range("autoScaler", "refreshPeriodInSeconds"),
    _Range("autoScaler", "targetUtilization"),
    _Range("livenessProbeRequirements", "periodSeconds"),
    _Range("livenessProbeRequirements", "initialDelaySeconds"),
    _Range("livenessProbeRequirements", "timeoutSeconds"),
    _Range("livenessProbeRequirements", "successThreshold"),
    _Range("livenessProbeRequirements", "failureThreshold"),
)


def check_name(name: str) -> None:
    """Raise Azure's 400 unless a service can have this name."""
    if not _NAME.fullmatch(name):
        raise _refusal(
            [
                (
                    "Service name must only consist of lowercase letters, numbers, or "
                    "dashes, start with a letter, end with a letter or number, and be "
                    "between 3 and 32 characters long."
                )
            ]
        )


def check_document(compute_type: str, document: Document) -> None:
    """Raise Azure's 400, with every reason, for what no service can be."""
    is_aks = compute_type == AKS
    ranges = _AKS_RANGES if is_aks else _ACI_RANGES
    found = [text for each in ranges if (text := each.complaint(document))]
    found += _aks_complaints(document) if is_aks else _aci_complaints(document)
    if found:
        raise _refusal(found)


def _aci_complaints(document: Document) -> Iterator[str]:
    if document.get("sslEnabled") and not all(
        document.get(name) for name in ("sslCertificate", "sslKey", "cname")
    ):
        yield "SSL is enabled: sslCertificate, sslKey and cname must be provided."
    if not _all_or_none(document, "vnetConfiguration", ("vnetName", "subnetName")):
        yield "vnetConfiguration needs both vnetName and subnetName."
    triple = ("vaultBaseUrl", "keyName", "keyVersion")
    if not _all_or_none(document, "encryptionProperties", triple):
        yield "encryptionProperties needs vaultBaseUrl, keyName and keyVersion."
    label = document.get("dnsNameLabel")
    if label is not None and not _LABEL.fullmatch(str(label)):
        yield f"dnsNameLabel '{label}' is invalid."


def _aks_complaints(document: Document) -> Iterator[str]:
    resources = section(document, _RESOURCES)
    for name in ("cpu", "memoryInGB"):
        if _exceeds(resources.get(name), resources.get(f"{name}Limit")):
            yield f"{_RESOURCES}.{name}Limit must not be less than {name}."
    yield from _replica_complaints(document)
    if document.get("authEnabled") and document.get("aadAuthEnabled"):
        yield "authEnabled and aadAuthEnabled cannot both be true."
    namespace = document.get("namespace")
    if namespace is not None and not _NAMESPACE.fullmatch(str(namespace)):
        yield f"namespace '{namespace}' is not a valid Kubernetes namespace."
    if not document.get("computeName"):
        yield "computeName must be provided."


def _replica_complaints(document: Document) -> Iterator[str]:
    scaler, count = section(document, "autoScaler"), document.get("numReplicas")
    if scaler.get("autoscaleEnabled"):
        if count is not None:
            yield "numReplicas cannot be set while autoscale is enabled."
        if _exceeds(scaler.get("minReplicas"), scaler.get("maxReplicas")):
            yield "autoScaler.minReplicas must not exceed maxReplicas."
    elif count is None:
        yield "numReplicas must be set while autoscale is disabled."


def _all_or_none(document: Document, part: str, names: tuple[str, ...]) -> bool:
    given = [bool(section(document, part).get(name)) for name in names]
    return all(given) or not any(given)


def _exceeds(low: object, high: object) -> bool:
    return isinstance(low, int | float) and isinstance(high, int | float) and low > high


def _refusal(reasons: list[str]) -> AzureError:
    return AzureError(
        400,
        "BadRequest",
        "The request is invalid.",
        details=[("ServiceInvalid", reason) for reason in reasons],
    )
