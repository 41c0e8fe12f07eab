"""Our options as the arguments of azureml-core, for a new service and for a change."""

import secrets as randomness
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from app.core.aci_options import AciOptions
from app.core.aks_options import AksOptions
from app.core.target import ApplyRequest

V1Options = AciOptions | AksOptions
Arguments = dict[str, Any]

_CERTIFICATES = ("ssl_cert_pem", "ssl_key_pem")
_KEYS = ("primary_key", "secondary_key")
_SECRETS = frozenset({*_CERTIFICATES, *_KEYS})
# 24 bytes are 32 characters, as Azure's own keys.
_KEY_BYTES = 24

# What `AciWebservice.update` takes, and what it does not: that is recreated.
_ACI_UPDATES = ("auth_enabled", "ssl_enabled", "ssl_cname", "enable_app_insights")
# Never changed by `AksWebservice.update` here: where the service runs.
_AKS_FIXED = frozenset({"compute_target_name", "namespace", "blobfuse_enabled"})

# What azureml-core's own constructor would leave to Azure.
_AUTOSCALE_DEFAULTS = {
    "autoscale_min_replicas": 1,
    "autoscale_max_replicas": 10,
    "autoscale_refresh_seconds": 1,
    "autoscale_target_utilization": 70,
}


def v1_options(request: ApplyRequest) -> V1Options:
    """Return the options of a request for one of the v1 targets."""
    options = request.options
    if not isinstance(options, AciOptions | AksOptions):
        raise TypeError(f"options of target {options.kind} given to a v1 target")
    return options


def create_arguments(request: ApplyRequest, tags: Mapping[str, str]) -> Arguments:
    """Return what creating the service takes."""
    options = v1_options(request)
    plain = _plain(options)
    return {
        **_common(request, tags),
        "options": {**plain, **_keys(request)},
        "properties": dict(request.properties),
        "model": _model(request),
    }


def update_arguments(
    request: ApplyRequest,
    tags: Mapping[str, str],
    live: Mapping[str, Any],
    *,
    needs_image: bool,
) -> Arguments:
    """Return what changing the service `live`, as Azure shows it, takes."""
    options = v1_options(request)
    plain = _plain(options)
    if isinstance(options, AciOptions):
        changed = {name: plain.get(name) for name in _ACI_UPDATES}
    else:
        changed = {k: v for k, v in plain.items() if k not in _AKS_FIXED}
    return {
        **_common(request, tags),
        "options": changed,
        "properties": _new_properties(request.properties, live),
        "model": _model(request) if needs_image else None,
        "operations": _left_out(request, options, live),
    }


def opening_arguments(request: ApplyRequest, tags: Mapping[str, str]) -> Arguments:
    """Return what having the service ask for keys takes, and nothing else of it."""
    options = {"auth_enabled": True}
    if isinstance(request.options, AksOptions):
        options["token_auth_enabled"] = False
    return {
        **_common(request, tags),
        "certificates": {},
        "description": "",
        "options": options,
        "properties": {},
        "model": None,
        "operations": [],
    }


def _common(request: ApplyRequest, tags: Mapping[str, str]) -> Arguments:
    return {
        "kind": request.options.kind,
        "service": request.deployment_name,
        "tags": dict(tags),
        "description": request.description,
        "certificates": {
            name: request.secrets[name]
            for name in _CERTIFICATES
            if getattr(request.options, name, None) is not None
        },
    }


def _model(request: ApplyRequest) -> dict[str, str]:
    return {"name": request.model.name, "version": request.model.version}


def _plain(options: V1Options) -> Arguments:
    """Return the options without secrets, with nothing left for Azure to choose."""
    values = {
        field.name: getattr(options, field.name)
        for field in fields(options)
        if field.name != "kind" and field.name not in _SECRETS
    }
    if isinstance(options, AksOptions):
        values["auth_enabled"] = options.has_keys
        values["autoscale_enabled"] = options.autoscales
        if options.autoscales:
            for name, default in _AUTOSCALE_DEFAULTS.items():
                values[name] = default if values[name] is None else values[name]
    return {name: value for name, value in values.items() if value is not None}


def _keys(request: ApplyRequest) -> dict[str, str]:
    """Return both keys if either was given: azureml-core sends no second one alone."""
    given = {
        name: request.secrets[name]
        for name in _KEYS
        if getattr(request.options, name) is not None
    }
    if not given:
        return {}
    return {
        name: given.get(name) or randomness.token_urlsafe(_KEY_BYTES) for name in _KEYS
    }


def _new_properties(
    wanted: Mapping[str, str], live: Mapping[str, Any]
) -> dict[str, str]:
    """Return those that are not there yet, named as parts of a JSON pointer.

    Azure lets none be changed, and azureml-core escapes no name.
    """
    held = live.get("properties") or {}
    return {
        name.replace("~", "~0").replace("/", "~1"): value
        for name, value in wanted.items()
        if name not in held
    }


def _left_out(
    request: ApplyRequest, options: V1Options, live: Mapping[str, Any]
) -> list[Arguments]:
    """Return the changes to nothing, which azureml-core does not send."""
    changes: dict[str, tuple[object, object]] = {
        "/description": (live.get("description") or "", request.description),
    }
    if isinstance(options, AksOptions):
        held = live.get("containerResourceRequirements") or {}
        place = "/containerResourceRequirements"
        changes |= {
            f"{place}/gpu": (held.get("gpu") or 0, options.gpu_cores),
            f"{place}/cpuLimit": (held.get("cpuLimit"), options.cpu_cores_limit),
            f"{place}/memoryInGBLimit": (
                held.get("memoryInGBLimit"),
                options.memory_gb_limit,
            ),
            "/numReplicas": (live.get("numReplicas"), options.num_replicas),
        }
    return [
        {"op": "replace", "path": path, "value": wanted}
        for path, (now, wanted) in changes.items()
        if not wanted and now != wanted
    ]
