"""What answers about the targets of Azure ML's first version say of their end."""

from collections.abc import Mapping

# RFC 9745: the moment from which the SDK and the web services of v1 are deprecated,
# 2025-03-31, as Azure announced it.
_DEPRECATED_SINCE = "@1743379200"
_DOCS = "https://learn.microsoft.com/azure/machine-learning"
_LINKS = (
    f'<{_DOCS}/v1/introduction>; rel="deprecation"; type="text/html"',
    f'<{_DOCS}/concept-endpoints-online>; rel="successor-version"; type="text/html"',
)
_LEGACY_KINDS = frozenset({"aci", "aks"})


def legacy_headers(kind: str) -> Mapping[str, str]:
    """Return the headers that say that targets of this kind are legacy, if they are."""
    if kind not in _LEGACY_KINDS:
        return {}
    return {"Deprecation": _DEPRECATED_SINCE, "Link": ", ".join(_LINKS)}
