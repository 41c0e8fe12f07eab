"""What Slipway has azureml-core do: create a web service, and change one.

Imported by `sdk_program` alone, in a child process. Each call returns as soon as Azure
has taken the request: nobody waits in here.
"""

import os
from pathlib import Path
from typing import Any

from azureml.core import Workspace  # type: ignore[import-untyped]
from azureml.core.authentication import (  # type: ignore[import-untyped]
    TokenAuthentication,
)
from azureml.core.model import (  # type: ignore[import-untyped]
    InferenceConfig,
    Model,
)
from azureml.core.webservice import (  # type: ignore[import-untyped]
    AciWebservice,
    AksWebservice,
    Webservice,
)
from azureml.core.webservice import aci as aci_module
from azureml.core.webservice import aks as aks_module

from app.targets.azureml_v1.cluster_operations import OPERATIONS as CLUSTER_OPERATIONS
from app.targets.azureml_v1.patching import PatchingSession
from app.targets.azureml_v1.permit import Permit
from app.targets.azureml_v1.sdk_environment import make_environment
from app.targets.azureml_v1.sdk_files import SERVICE_SCRIPT, write_certificates

_CLASSES = {"aci": AciWebservice, "aks": AksWebservice}

Answer = dict[str, Any]


class SdkOperations:
    """One workspace, changed through azureml-core."""

    def __init__(self, permit: Permit) -> None:
        self._permit = permit
        self._fields: dict[str, Any] | None = None
        self._workspace: Any = None

    def bind(self, fields: dict[str, Any]) -> None:
        """Open the workspace; this process is for no other from then on."""
        if self._fields is None:
            self._fields = fields
        if self._fields != fields:
            raise ValueError("this process is for another workspace")
        if self._workspace is None:
            self._workspace = Workspace(
                subscription_id=fields["subscription_id"],
                resource_group=fields["resource_group"],
                workspace_name=fields["workspace_name"],
                auth=TokenAuthentication(
                    get_token_for_audience=lambda _: self._permit.token,
                    cloud=fields["cloud"],
                ),
            )

    def deploy(self, arguments: dict[str, Any]) -> Answer:
        """Create a service. Azure refuses it if the name is taken."""
        kind = _CLASSES[arguments["kind"]]
        model = self._model(arguments["model"])
        options = {**arguments["options"], **write_certificates(arguments)}
        configuration = kind.deploy_configuration(
            tags=arguments["tags"],
            properties=arguments["properties"],
            description=arguments["description"],
            **options,
        )
        service = Model.deploy(
            self._workspace,
            arguments["service"],
            [model],
            inference_config=_inference(arguments, model),
            deployment_config=configuration,
        )
        return {"operation_id": _operation(service)}

    def update(self, arguments: dict[str, Any]) -> Answer:
        """Change a service in place; with `model`, what it serves too."""
        service = Webservice(self._workspace, arguments["service"])
        options = {**arguments["options"], **write_certificates(arguments)}
        if arguments["model"] is not None:
            model = self._model(arguments["model"])
            options["models"] = [model]
            options["inference_config"] = _inference(arguments, model)
        # It compares each new limit with the old request for resources, so that no
        # update could raise or lower both; we have compared the new ones.
        service.container_resource_requirements = None
        session = PatchingSession(arguments["operations"])
        # The one place from which either class takes its session.
        aci_module.get_requests_session = session.once
        aks_module.get_requests_session = session.once
        service.update(
            tags=arguments["tags"],
            properties=arguments["properties"],
            description=arguments["description"] or None,
            **options,
        )
        return {"operation_id": _operation(service)}

    def change_cluster(self, operation: str, arguments: dict[str, Any]) -> Answer:
        """Create, attach, change or remove a cluster."""
        CLUSTER_OPERATIONS[operation](self._workspace, arguments)
        return {"operation_id": None}

    def _model(self, fields: dict[str, str]) -> Any:  # noqa: ANN401 - azureml-core's own
        # Not expanded: that would ask for its run, experiment and data sets.
        return Model(
            self._workspace,
            name=fields["name"],
            version=int(fields["version"]),
            expand=False,
        )


def _inference(arguments: dict[str, Any], model: Any) -> InferenceConfig:  # noqa: ANN401
    script = Path(SERVICE_SCRIPT)
    script.write_text(arguments["script"], encoding="utf-8")
    return InferenceConfig(
        entry_script=str(script),
        environment=make_environment(arguments["service"], model),
    )


def _operation(service: Any) -> str | None:  # noqa: ANN401
    endpoint = service._operation_endpoint  # noqa: SLF001 - no public way to it
    return os.path.basename(endpoint) if endpoint else None  # noqa: PTH119 - a URL
