"""Registered models and assets as v1's model management shows them."""

from collections.abc import Mapping
from types import MappingProxyType

from app.simulator.model_registry import Asset, RegisteredModel

# What a client may say about a model beside its name, URL, run, tags and properties.
MODEL_FIELDS = (
    "mimeType",
    "framework",
    "frameworkVersion",
    "datasets",
    "unpack",
    "parentModelId",
    "experimentName",
    "derivedModelIds",
    "sampleInputData",
    "sampleOutputData",
    "resourceRequirements",
)
CREATOR: Mapping[str, str] = MappingProxyType(
    {
        "userObjectId": "00000000-0000-0000-0000-000000000001",
        "userTenantId": "72f988bf-0000-4000-8000-2d7cd011db47",
        "userName": "Simulated caller",
    }
)


def model_document(model: RegisteredModel) -> dict[str, object]:
    """Return a model as v1 shows it."""
    fields: dict[str, object] = dict.fromkeys(MODEL_FIELDS)
    fields.update({"mimeType": "application/json", "unpack": False, "datasets": []})
    fields.update(
        {name: value for name, value in model.fields.items() if value is not None}
    )
    return {
        **fields,
        "id": model.id,
        "name": model.name,
        "version": model.version,
        "url": model.url,
        "description": model.description,
        "runId": model.run_id,
        "kvTags": dict(model.tags),
        # The SDK reads them by this name from a service's models.
        "tags": dict(model.tags),
        "properties": dict(model.properties),
        "createdTime": model.created_at.isoformat(),
        "modifiedTime": model.modified_at.isoformat(),
        "createdBy": dict(CREATOR),
    }


def asset_document(asset: Asset) -> dict[str, object]:
    """Return an asset as v1 shows it."""
    return {
        **asset.fields,
        "id": asset.id,
        "name": asset.name,
        "artifacts": asset.artifacts,
        "createdTime": asset.created_at.isoformat(),
    }
