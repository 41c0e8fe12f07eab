"""Services on Container Instances, as a user of azureml-core drives them."""

import json
from pathlib import Path
from typing import Any

from azureml.core.model import Model  # type: ignore[import-untyped]
from azureml.core.webservice import (  # type: ignore[import-untyped]
    AciWebservice,
    Webservice,
)

from tests.simulator.script_refusal import refusal


def lose_an_answer(workspace: Any, model: Any, config: Any) -> dict[str, object]:  # noqa: ANN401
    options = AciWebservice.deploy_configuration(tags={"mark": "lost"})

    def deploy() -> None:
        Model.deploy(workspace, "lost-answer", [model], config, options)

    return {
        "refusal": refusal(deploy),
        "stands": Webservice(workspace, "lost-answer").tags,
        "again": refusal(deploy),
    }


def live_on_aci(workspace: Any, model: Any, config: Any) -> dict[str, object]:  # noqa: ANN401
    options = AciWebservice.deploy_configuration(
        cpu_cores=1,
        memory_gb=1,
        tags={"simulate": "transitioning-long"},
        description="Diabetes model",
        location="eastus2",
        auth_enabled=True,
    )
    service = Model.deploy(workspace, "diabetes-model-1", [model], config, options)
    first = service.state
    service.wait_for_deployment(show_output=True)
    told = {
        "states": [first, service.state],
        "serialized": service.serialize(),
        "models": [each.id for each in service.models],
        "environment": service.environment.name,
        "log": service.get_logs(num_lines=3),
        "init_log": service.get_logs(init=True),
        "prediction": service.run(json.dumps({"data": [[1, 2], [3, 4]]})),
        "in_use": refusal(model.delete),
    }
    service.regen_key("Primary", "chosen")
    service.regen_key("Secondary")
    told["keys"] = service.get_keys()
    service.update(
        tags={"method": "sklearn"},
        properties={"added": "later"},
        description="Changed",
        enable_app_insights=True,
        models=[model],
        inference_config=config,
    )
    service.wait_for_deployment()
    told["updated"] = service.serialize() | {"insights": service.enable_app_insights}
    told["changed_property"] = refusal(
        lambda: service.update(properties={"added": "other"})
    )
    found = Webservice.list(workspace, tags=[["method", "sklearn"]], compute_type="ACI")
    told["listed"] = [each.name for each in found]
    service.update(auth_enabled=False)
    service.wait_for_deployment()
    told["no_keys"] = refusal(service.get_keys)
    service.delete()
    told["gone"] = refusal(lambda: Webservice(workspace, "diabetes-model-1"))
    return told


def crash(workspace: Any, model: Any, config: Any) -> dict[str, object]:  # noqa: ANN401
    options = AciWebservice.deploy_configuration(tags={"simulate": "crash-loop"})
    service = Model.deploy(workspace, "crashes", [model], config, options)
    return {
        "refusal": refusal(service.wait_for_deployment),
        "state": service.state,
        "error": service.error["code"],
        "log": service.get_logs(),
        "scoring_uri": service.scoring_uri,
    }


def use_all_of_aci(workspace: Any, model: Any, config: Any) -> object:  # noqa: ANN401
    Path("cert.pem").write_text("certificate")
    Path("key.pem").write_text("private")
    options = AciWebservice.deploy_configuration(
        cpu_cores=2,
        memory_gb=3.5,
        tags={"one": "1"},
        properties={"two": "2"},
        description="all",
        location="westus2",
        auth_enabled=True,
        ssl_enabled=True,
        enable_app_insights=True,
        ssl_cert_pem_file="cert.pem",
        ssl_key_pem_file="key.pem",
        ssl_cname="models.example.com",
        dns_name_label="all-options",
        primary_key="first",
        secondary_key="second",
        collect_model_data=True,
        cmk_vault_base_url="https://vault.example.com",
        cmk_key_name="key",
        cmk_key_version="7",
        vnet_name="net",
        subnet_name="sub",
    )
    service = Model.deploy(workspace, "all-options", [model], config, options)
    service.wait_for_deployment()
    return {
        "keys": service.get_keys(),
        "uri": service.scoring_uri,
        "vnet": service.vnet_configuration.serialize(),
        "cmk": service.encryption_properties.serialize(),
        "ssl_key": service.ssl_key,
        "prediction": service.run(json.dumps([1])),
    }
