"""Services on a cluster, and those of others, as azureml-core sees them."""

import json
from typing import Any

from azureml.core.model import Model  # type: ignore[import-untyped]
from azureml.core.webservice import (  # type: ignore[import-untyped]
    AksWebservice,
    Webservice,
)

from tests.simulator.script_refusal import refusal


def use_all_of_aks(workspace: Any, model: Any, config: Any) -> dict[str, object]:  # noqa: ANN401
    options = AksWebservice.deploy_configuration(
        autoscale_enabled=True,
        autoscale_min_replicas=2,
        autoscale_max_replicas=5,
        autoscale_refresh_seconds=3,
        autoscale_target_utilization=60,
        collect_model_data=True,
        auth_enabled=False,
        token_auth_enabled=True,
        cpu_cores=0.5,
        cpu_cores_limit=1.5,
        memory_gb=1,
        memory_gb_limit=2,
        gpu_cores=1,
        enable_app_insights=True,
        scoring_timeout_ms=5_000,
        replica_max_concurrent_requests=4,
        max_request_wait_time=700,
        primary_key="first",
        secondary_key="second",
        tags={"one": "1"},
        properties={"two": "2"},
        description="all",
        period_seconds=11,
        initial_delay_seconds=200,
        timeout_seconds=4,
        success_threshold=2,
        failure_threshold=6,
        namespace="models",
        compute_target_name="aks-mlflow",
        blobfuse_enabled=False,
    )
    service = Model.deploy(workspace, "my-aks", [model], config, options)
    service.wait_for_deployment()
    told: dict[str, object] = {
        "created": service.serialize(),
        "prediction": service.run(json.dumps({"data": [[1], [2], [3]]})),
    }
    service.update(
        autoscale_enabled=False,
        num_replicas=3,
        auth_enabled=True,
        token_auth_enabled=False,
        cpu_cores=0.7,
        memory_gb=1.5,
        scoring_timeout_ms=6_000,
        replica_max_concurrent_requests=5,
        max_request_wait_time=800,
        period_seconds=12,
        namespace="other",
        collect_model_data=False,
        enable_app_insights=False,
    )
    service.wait_for_deployment()
    told["updated"] = service.serialize()
    told["keys"] = service.get_keys()
    service.delete()
    told["gone"] = refusal(lambda: Webservice(workspace, "my-aks"))
    missing = AksWebservice.deploy_configuration(compute_target_name="no-such")
    told["no_cluster"] = refusal(
        lambda: Model.deploy(workspace, "nowhere", [model], config, missing)
    )
    return told


def list_all(workspace: Any) -> dict[str, object]:  # noqa: ANN401
    listed = Webservice.list(workspace)
    return {
        "types": {each.name: type(each).__name__ for each in listed},
        "image": Webservice(workspace, "from-image").image_id,
    }
