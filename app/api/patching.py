"""JSON Merge Patch (RFC 7396) over what stands."""

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from app.api.validation import problems_of
from app.core.deployment import Deployment
from app.core.errors import InvalidError
from app.core.requests import PostWebhook, PutDeployment
from app.core.secret import secrets_of
from app.core.specs import DeploymentSpec
from app.core.webhook import Webhook

_SPEC = TypeAdapter(DeploymentSpec)
_REQUEST = TypeAdapter(PutDeployment)
_WEBHOOK = TypeAdapter(PostWebhook)

_Shape = TypeVar("_Shape")


def read_patch(deployment: Deployment, patch: Mapping[str, Any]) -> PutDeployment:
    """Return the request that `patch` makes of the deployment as it stands.

    Null removes a field, so that its default holds. Raises InvalidError with pointers
    as for a PUT of the whole.
    """
    merged = merge(_SPEC.dump_python(deployment.spec, mode="json"), patch)
    _put_secrets_whole(merged, patch, secrets_of(deployment.spec.target))
    return _read(_REQUEST, merged)


def touches_model(patch: Mapping[str, Any]) -> bool:
    """Say whether the patch names a model, so that its URI is resolved again."""
    return "model" in patch


def touches_webhook(patch: Mapping[str, Any]) -> bool:
    """Say whether the patch says who is to follow the deployment."""
    return "webhook" in patch


def merge(target: object, patch: object) -> Any:  # noqa: ANN401
    """Return `target` with `patch` merged into it; neither is changed."""
    if not isinstance(patch, Mapping):
        return patch
    merged = dict(target) if isinstance(target, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge(merged.get(key), value)
    return merged


def read_webhook_patch(webhook: Webhook, patch: Mapping[str, Any]) -> PostWebhook:
    """Return what `patch` makes of the webhook, checked as a new one would be."""
    standing = {
        "name": webhook.name,
        "url": webhook.url,
        "events": list(webhook.events),
        "enabled": webhook.enabled,
    }
    return _read(_WEBHOOK, merge(standing, patch))


def _put_secrets_whole(
    merged: dict[str, Any], patch: Mapping[str, Any], fields: Iterable[str]
) -> None:
    """Let a secret in `patch` stand alone; joined to a reference it would be two."""
    target = patch.get("target")
    if isinstance(target, Mapping):
        given = {name: target[name] for name in fields if target.get(name) is not None}
        merged["target"] = {**merged["target"], **given}


def _read(shape: TypeAdapter[_Shape], merged: object) -> _Shape:
    try:
        return shape.validate_python(merged)
    except ValidationError as error:
        located = [
            {**found, "loc": ("body", *found["loc"])}
            for found in error.errors(include_url=False, include_input=False)
        ]
        raise InvalidError(
            "One or more fields are wrong.", fields=problems_of(located, merged)
        ) from error
