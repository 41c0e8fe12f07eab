"""What Slipway has azureml-core do with clusters: create, attach, change, remove.

Imported by `sdk_operations` alone, in a child process. Each call returns as soon as
Azure has taken the request: `wait_for_completion` has no end of its own.
"""

from typing import Any

from azureml.core.compute import (  # type: ignore[import-untyped]
    AksCompute,
    ComputeTarget,
)
from azureml.core.compute.aks import (  # type: ignore[import-untyped]
    AksUpdateConfiguration,
    SslConfiguration,
)

from app.targets.azureml_v1.sdk_files import write_certificates

Arguments = dict[str, Any]

# azureml-core deletes these from what Azure shows, which may leave them out.
_CHANGEABLE = ("sslConfiguration", "loadBalancerType", "loadBalancerSubnet")


class _MarkedAksCompute(AksCompute):  # type: ignore[misc]
    """AksCompute with our mark in the request itself: there is no moment without it."""

    @staticmethod
    def _create(workspace: Any, name: str, configuration: Any) -> Any:  # noqa: ANN401
        payload = AksCompute._build_create_payload(  # noqa: SLF001 - no public way
            configuration, workspace.location, workspace.subscription_id
        )
        return _send(workspace, name, configuration, payload)

    @staticmethod
    def _attach(workspace: Any, name: str, configuration: Any) -> Any:  # noqa: ANN401
        resource_id = configuration.resource_id or AksCompute._build_resource_id(  # noqa: SLF001
            workspace.subscription_id,
            configuration.resource_group,
            configuration.cluster_name,
        )
        payload = AksCompute._build_attach_payload(configuration, resource_id)  # noqa: SLF001
        payload["location"] = workspace.location
        return _send(workspace, name, configuration, payload)


def create(workspace: Any, arguments: Arguments) -> None:  # noqa: ANN401
    """Create a cluster."""
    configuration = AksCompute.provisioning_configuration(**arguments["options"])
    _mark(configuration, arguments)
    ComputeTarget.create(workspace, arguments["name"], configuration)


def attach(workspace: Any, arguments: Arguments) -> None:  # noqa: ANN401
    """Make a cluster that exists known to the workspace."""
    configuration = AksCompute.attach_configuration(**arguments["options"])
    _mark(configuration, arguments)
    ComputeTarget.attach(workspace, arguments["name"], configuration)


def change(workspace: Any, arguments: Arguments) -> None:  # noqa: ANN401
    """Change certificates and load balancer of a cluster."""
    compute = ComputeTarget(workspace, arguments["name"])
    build = compute._build_update_payload  # noqa: SLF001
    read = compute._get  # noqa: SLF001

    def complete(*place: Any) -> Any:  # noqa: ANN401
        document = read(*place)
        given = document["properties"].setdefault("properties", {}) or {}
        document["properties"]["properties"] = dict.fromkeys(_CHANGEABLE) | given
        return document

    def marked(configuration: Any) -> Any:  # noqa: ANN401
        return {**build(configuration), "tags": arguments["tags"]}

    compute._get = complete  # noqa: SLF001
    compute._build_update_payload = marked  # noqa: SLF001
    compute.update(
        AksUpdateConfiguration(
            ssl_configuration=_ssl(arguments), **arguments["options"]
        )
    )


def remove(workspace: Any, arguments: Arguments) -> None:  # noqa: ANN401
    """Delete the cluster, or only take it from the workspace."""
    compute = ComputeTarget(workspace, arguments["name"])
    if arguments["action"] == "delete":
        compute.delete()
    else:
        compute.detach()


def _mark(configuration: Any, arguments: Arguments) -> None:  # noqa: ANN401
    ssl = {k: v for k, v in arguments["ssl"].items() if v is not None}
    configuration.enable_ssl(**ssl, **write_certificates(arguments))
    configuration.slipway_tags = arguments["tags"]
    configuration._compute_type = _MarkedAksCompute  # noqa: SLF001


def _send(
    workspace: Any,  # noqa: ANN401
    name: str,
    configuration: Any,  # noqa: ANN401
    payload: dict[str, Any],
) -> Any:  # noqa: ANN401
    marked = {**payload, "tags": configuration.slipway_tags}
    return ComputeTarget._create_compute_target(workspace, name, marked, AksCompute)  # noqa: SLF001


def _ssl(arguments: Arguments) -> SslConfiguration:
    ssl, certificates = arguments["ssl"], arguments["certificates"]
    if certificates:
        return SslConfiguration(
            status="Enabled",
            cert=certificates["ssl_cert_pem"],
            key=certificates["ssl_key_pem"],
            cname=ssl["ssl_cname"],
        )
    if ssl["leaf_domain_label"]:
        return SslConfiguration(
            status="Auto",
            leaf_domain_label=ssl["leaf_domain_label"],
            overwrite_existing_domain=ssl["overwrite_existing_domain"],
        )
    return SslConfiguration(status="Disabled")


OPERATIONS = {
    "cluster_create": create,
    "cluster_attach": attach,
    "cluster_change": change,
    "cluster_remove": remove,
}
