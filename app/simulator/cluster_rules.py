"""What Azure admits of a cluster, and how many vCPUs one costs."""

import re
from collections.abc import Mapping
from types import MappingProxyType

from app.simulator.errors import AzureError

_NAME = re.compile(r"[a-zA-Z](?=.{1,15}$)([-a-zA-Z0-9]*[a-zA-Z0-9])?")
# vCPUs of a size by the number in its name, as D3_v2 has 4: the sizes that the
# documentation of the SDK names, and 4 for any other.
_CORES: Mapping[str, int] = MappingProxyType(
    {
        "standard_d1_v2": 1,
        "standard_d2_v2": 2,
        "standard_d3_v2": 4,
        "standard_d4_v2": 8,
        "standard_d5_v2": 16,
        "standard_b4ms": 4,
        "standard_b8ms": 8,
        "standard_nc6": 6,
    }
)
DEFAULT_SIZE = "Standard_D3_v2"
_PROD_CORES = 12


def check(name: str, wanted: Mapping[str, object], *, is_attached: bool | None) -> None:
    """Refuse what Azure refuses; `is_attached` tells of the one with this name."""
    if not _NAME.fullmatch(name):
        raise _bad(
            "Compute name is invalid. It can include letters, digits and dashes. It "
            "must start with a letter, end with a letter or digit, and be between 2 "
            "and 16 characters in length."
        )
    if wanted.get("computeType") != "AKS":
        raise _bad(f"The simulator has no compute of type {wanted.get('computeType')}.")
    given = mapping(wanted.get("properties"))
    if is_attached is None and not wanted.get("resourceId"):
        _check_size(given)


def _check_size(given: Mapping[str, object]) -> None:
    if given.get("clusterPurpose", "FastProd") == "DevTest":
        return
    count = cores({"agentCount": 3, "agentVmSize": DEFAULT_SIZE, **given})
    if count < _PROD_CORES:
        raise _bad(
            "The cluster must have a total of at least 12 virtual CPUs "
            f"(agent count x virtual CPUs of the size) and has {count}. Use cluster "
            "purpose DevTest for a smaller one."
        )


def check_idle(name: str, state: str) -> None:
    """Refuse a second operation on a cluster."""
    if state in {"Creating", "Updating", "Deleting"}:
        raise AzureError(
            409,
            "Conflict",
            f"The compute '{name}' is in state {state}; another operation on it is in "
            "progress.",
        )


def over_quota(location: str, wanted: int) -> AzureError:
    """Return Azure's refusal of more vCPUs than the region's quota leaves."""
    return AzureError(
        400,
        "QuotaExceeded",
        "Operation could not be completed as it results in exceeding approved Total "
        f"Regional Cores quota. Location: {location}, Additional Required: {wanted}.",
    )


def cores(properties: Mapping[str, object]) -> int:
    """Return the vCPUs of a cluster that Azure ML makes."""
    size = str(properties.get("agentVmSize")).lower()
    return int(str(properties.get("agentCount"))) * _CORES.get(size, 4)


def mapping(value: object) -> Mapping[str, object]:
    """Return `value` if it is an object of JSON, else an empty one."""
    return value if isinstance(value, dict) else {}


def text(value: object) -> str:
    """Return `value` if it is text, else none."""
    return value if isinstance(value, str) else ""


def _bad(message: str) -> AzureError:
    return AzureError(400, "BadRequest", message)
