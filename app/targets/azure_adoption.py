"""Read a web service that stands at Azure as the request that would have made it."""

from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from app.core.adoption import StandingService
from app.core.errors import NotFoundError, NotSupportedError
from app.core.specs import AnyTargetOptions, TargetOptions
from app.core.target import ResolvedModel
from app.core.workspace import Workspace
from app.targets.azure_call import Call, Host
from app.targets.azure_paths import azure_identity, service_path
from app.targets.azure_rest import AzureRest
from app.targets.azure_services import Service

_NOT_FOUND = 404
_MARK = "slipway."
_OPTIONS: TypeAdapter[AnyTargetOptions] = TypeAdapter(TargetOptions)

# Where Azure's document of a service has what an option says.
_BOTH: Mapping[str, str] = {
    "cpu_cores": "containerResourceRequirements.cpu",
    "memory_gb": "containerResourceRequirements.memoryInGB",
    "enable_app_insights": "appInsightsEnabled",
    "collect_model_data": "dataCollection.storageEnabled",
}
_ACI: Mapping[str, str] = {
    **_BOTH,
    "location": "location",
    "auth_enabled": "authEnabled",
    "ssl_enabled": "sslEnabled",
    "ssl_cname": "cname",
    "dns_name_label": "dnsNameLabel",
    "cmk_vault_base_url": "encryptionProperties.vaultBaseUrl",
    "cmk_key_name": "encryptionProperties.keyName",
    "cmk_key_version": "encryptionProperties.keyVersion",
    "vnet_name": "vnetConfiguration.vnetName",
    "subnet_name": "vnetConfiguration.subnetName",
}
_AKS: Mapping[str, str] = {
    **_BOTH,
    "compute_target_name": "computeName",
    "namespace": "namespace",
    "num_replicas": "numReplicas",
    "token_auth_enabled": "aadAuthEnabled",
    "cpu_cores_limit": "containerResourceRequirements.cpuLimit",
    "memory_gb_limit": "containerResourceRequirements.memoryInGBLimit",
    "gpu_cores": "containerResourceRequirements.gpu",
    "scoring_timeout_ms": "scoringTimeoutMs",
    "replica_max_concurrent_requests": "maxConcurrentRequestsPerContainer",
    "max_request_wait_time": "maxQueueWaitMs",
    "period_seconds": "livenessProbeRequirements.periodSeconds",
    "initial_delay_seconds": "livenessProbeRequirements.initialDelaySeconds",
    "timeout_seconds": "livenessProbeRequirements.timeoutSeconds",
    "success_threshold": "livenessProbeRequirements.successThreshold",
    "failure_threshold": "livenessProbeRequirements.failureThreshold",
}
_AUTOSCALE: Mapping[str, str] = {
    "autoscale_min_replicas": "autoScaler.minReplicas",
    "autoscale_max_replicas": "autoScaler.maxReplicas",
    "autoscale_refresh_seconds": "autoScaler.refreshPeriodInSeconds",
    "autoscale_target_utilization": "autoScaler.targetUtilization",
}

Document = Mapping[str, Any]


class StandingServices:
    """Reads single v1 web services of workspaces; changes nothing."""

    def __init__(self, rest: AzureRest) -> None:
        self._rest = rest

    async def read_service(self, workspace: Workspace, name: str) -> StandingService:
        """Return the service of that name as what would have made it.

        Raises NotFoundError, NotSupportedError with the reason, or TargetError.
        """
        identity = azure_identity(workspace)
        call = Call(
            path=service_path(identity, name),
            host=Host.REGIONAL,
            # Without it Azure leaves the service's models out.
            query={"expand": "true"},
            accepts=frozenset({_NOT_FOUND}),
        )
        answer = await self._rest.send(workspace, call)
        if not answer.is_success or not isinstance(answer.body, dict):
            raise NotFoundError("There is no web service of this name.")
        return standing_service(answer.body, region=identity.region)


def standing_service(document: dict[str, Any], *, region: str) -> StandingService:
    """Return what Azure's document says; NotSupportedError if it cannot be adopted."""
    service = Service(document)
    if any(key.startswith(_MARK) for key in service.tags):
        raise _refused("carries the mark of a deployment of Slipway")
    if service.state.lower() != "healthy":
        raise _refused(f"is not healthy: {service.state or 'without a state'}")
    return StandingService(
        name=service.name,
        state=service.state,
        options=_options(document, region),
        model=_model(document),
        description=_text(document, "description") or "",
        tags=service.tags,
        properties=_texts(document.get("properties")),
        scoring_uri=_text(document, "scoringUri"),
        swagger_uri=_text(document, "swaggerUri"),
    )


def _options(document: Document, region: str) -> AnyTargetOptions:
    kind = (_text(document, "computeType") or "").lower()
    match kind:
        case "aci":
            given = _aci(document, region)
        case "aks":
            given = _aks(document)
        case _:
            raise _refused("is neither of the kind aci nor of the kind aks")
    try:
        return _OPTIONS.validate_python({"kind": kind, **given})
    except ValidationError as error:
        names = {str(one["loc"][-1]) for one in error.errors(include_input=False)}
        raise _refused(
            f"has what no request can ask for: {', '.join(sorted(names))}"
        ) from None


def _aci(document: Document, region: str) -> dict[str, Any]:
    """Return its options without those that say what leaving them out does."""
    given = _given(document, _ACI)
    plain = {"location": region, "collect_model_data": False}
    return {name: value for name, value in given.items() if plain.get(name) != value}


def _aks(document: Document) -> dict[str, Any]:
    given = _given(document, _AKS)
    if _at(document, "autoScaler.autoscaleEnabled") is True:
        given.pop("num_replicas", None)
        given |= _given(document, _AUTOSCALE)
    if document.get("authEnabled") is False and not given.get("token_auth_enabled"):
        given["auth_enabled"] = False
    return given


def _given(document: Document, places: Mapping[str, str]) -> dict[str, Any]:
    found = {name: _at(document, place) for name, place in places.items()}
    return {name: value for name, value in found.items() if value is not None}


def _at(document: Document, place: str) -> Any:  # noqa: ANN401 - Azure's own JSON
    value: Any = document
    for step in place.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    return value


def _model(document: Document) -> ResolvedModel:
    models = document.get("models")
    found = models if isinstance(models, list) else []
    if len(found) != 1 or not isinstance(found[0], dict):
        raise _refused(f"has {len(found)} registered models where it must have one")
    name, version = _text(found[0], "name"), found[0].get("version")
    if name is None or not isinstance(version, int):
        raise _refused("has a model without a name and a version")
    return ResolvedModel(
        name=name, version=str(version), uri=f"models:/{name}/{version}"
    )


def _text(document: Document, name: str) -> str | None:
    value = document.get(name)
    return value if isinstance(value, str) and value else None


def _texts(value: object) -> dict[str, str]:
    items = value.items() if isinstance(value, dict) else ()
    return {str(key): text for key, text in items if isinstance(text, str)}


def _refused(reason: str) -> NotSupportedError:
    return NotSupportedError(
        f"The service cannot be adopted: it {reason}.",
        remedy="Deploy the model anew under another name.",
    )
