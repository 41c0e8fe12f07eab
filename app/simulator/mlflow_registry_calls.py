"""The calls of MLflow's registry REST: functions of a workspace and its fields."""

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType

from app.simulator.errors import AzureError
from app.simulator.mlflow_fields import Answer, Fields, invalid, page
from app.simulator.mlflow_filter import matches, ordered
from app.simulator.mlflow_registry import STAGES, MlflowRegistry, RegisteredName
from app.simulator.mlflow_tracking_calls import Call
from app.simulator.model_registry import RegisteredModel
from app.simulator.world import SimulatedWorkspace

_NAMES_PAGE = 100
_VERSIONS_PAGE = 1000


def _create_name(workspace: SimulatedWorkspace, fields: Fields) -> Answer:
    registry = workspace.part(MlflowRegistry)
    return {"registered_model": registry.tell_name(registry.create_name(fields))}


def _get_name(workspace: SimulatedWorkspace, fields: Fields) -> Answer:
    registry = workspace.part(MlflowRegistry)
    return {"registered_model": registry.tell_name(_name(registry, fields))}


def _update_name(workspace: SimulatedWorkspace, fields: Fields) -> Answer:
    registry = workspace.part(MlflowRegistry)
    name = _name(registry, fields)
    name.description = fields.text("description", name.description)
    name.updated_at = registry.now()
    return {"registered_model": registry.tell_name(name)}


def _rename(_workspace: SimulatedWorkspace, _fields: Fields) -> Answer:
    raise AzureError(
        400, "NOT_IMPLEMENTED", "Renaming a registered model is not supported."
    )


def _delete_name(workspace: SimulatedWorkspace, fields: Fields) -> Answer:
    registry = workspace.part(MlflowRegistry)
    registry.delete_name(_name(registry, fields))
    return {}


def _search_names(workspace: SimulatedWorkspace, fields: Fields) -> Answer:
    registry = workspace.part(MlflowRegistry)
    text = fields.text("filter")
    wanted = [one for one in registry.names() if matches(text, one.lookup)]
    found = ordered(wanted, fields.texts("order_by"), RegisteredName.lookup)
    told = [registry.tell_name(one) for one in found]
    return page(told, fields, name="registered_models", default=_NAMES_PAGE)


def _latest_versions(workspace: SimulatedWorkspace, fields: Fields) -> Answer:
    registry = workspace.part(MlflowRegistry)
    name = _name(registry, fields)
    stages = {one.lower() for one in fields.texts("stages") or STAGES}
    newest: dict[str, RegisteredModel] = {}
    for one in registry.versions(name.name):
        newest.setdefault(one.stage, one)
    wanted = [one for stage, one in newest.items() if stage.lower() in stages]
    return {"model_versions": [registry.tell(one) for one in wanted]}


def _tag_name(workspace: SimulatedWorkspace, fields: Fields) -> Answer:
    name = _name(workspace.part(MlflowRegistry), fields)
    name.tags[fields.required("key")] = fields.text("value")
    return {}


def _untag_name(workspace: SimulatedWorkspace, fields: Fields) -> Answer:
    name = _name(workspace.part(MlflowRegistry), fields)
    name.tags.pop(fields.required("key"), None)
    return {}


def _set_alias(workspace: SimulatedWorkspace, fields: Fields) -> Answer:
    registry = workspace.part(MlflowRegistry)
    version = registry.version(fields)
    alias = fields.required("alias")
    for one in registry.versions(version.name):
        one.aliases.discard(alias)
    version.aliases.add(alias)
    return {}


def _delete_alias(workspace: SimulatedWorkspace, fields: Fields) -> Answer:
    registry = workspace.part(MlflowRegistry)
    for one in registry.versions(fields.required("name")):
        one.aliases.discard(fields.required("alias"))
    return {}


def _get_aliased(workspace: SimulatedWorkspace, fields: Fields) -> Answer:
    registry = workspace.part(MlflowRegistry)
    found = registry.aliased(fields.required("name"), fields.required("alias"))
    return {"model_version": registry.tell(found)}


def _create_version(workspace: SimulatedWorkspace, fields: Fields) -> Answer:
    registry = workspace.part(MlflowRegistry)
    return {"model_version": registry.tell(registry.create(fields))}


def _get_version(workspace: SimulatedWorkspace, fields: Fields) -> Answer:
    registry = workspace.part(MlflowRegistry)
    return {"model_version": registry.tell(registry.version(fields))}


def _update_version(workspace: SimulatedWorkspace, fields: Fields) -> Answer:
    registry = workspace.part(MlflowRegistry)
    version = registry.version(fields)
    version.description = fields.text("description", version.description or "")
    _touch(workspace, version)
    return {"model_version": registry.tell(version)}


def _transition(workspace: SimulatedWorkspace, fields: Fields) -> Answer:
    registry = workspace.part(MlflowRegistry)
    version = registry.version(fields)
    wanted = fields.required("stage")
    stage = next((one for one in STAGES if one.lower() == wanted.lower()), None)
    if stage is None:
        raise invalid(f"Invalid Model Version stage: {wanted}.")
    if fields.flag("archive_existing_versions"):
        for one in registry.versions(version.name):
            one.stage = "Archived" if one.stage == stage else one.stage
    version.stage = stage
    _touch(workspace, version)
    return {"model_version": registry.tell(version)}


def _delete_version(workspace: SimulatedWorkspace, fields: Fields) -> Answer:
    registry = workspace.part(MlflowRegistry)
    registry.delete(registry.version(fields))
    return {}


def _search_versions(workspace: SimulatedWorkspace, fields: Fields) -> Answer:
    registry = workspace.part(MlflowRegistry)
    text = fields.text("filter")
    wanted = [
        one
        for one in registry.versions()
        if matches(text, partial(registry.lookup, one))
    ]
    found = ordered(wanted, fields.texts("order_by"), registry.lookup)
    told = [registry.tell(one) for one in found]
    return page(told, fields, name="model_versions", default=_VERSIONS_PAGE)


def _download_uri(workspace: SimulatedWorkspace, fields: Fields) -> Answer:
    registry = workspace.part(MlflowRegistry)
    return {"artifact_uri": registry.download_uri(registry.version(fields))}


def _tag_version(workspace: SimulatedWorkspace, fields: Fields) -> Answer:
    version = workspace.part(MlflowRegistry).version(fields)
    version.tags[fields.required("key")] = fields.text("value")
    _touch(workspace, version)
    return {}


def _untag_version(workspace: SimulatedWorkspace, fields: Fields) -> Answer:
    version = workspace.part(MlflowRegistry).version(fields)
    version.tags.pop(fields.required("key"), None)
    _touch(workspace, version)
    return {}


def _name(registry: MlflowRegistry, fields: Fields) -> RegisteredName:
    return registry.name(fields.required("name"))


def _touch(workspace: SimulatedWorkspace, version: RegisteredModel) -> None:
    version.modified_at = workspace.world.clock.now()


REGISTRY_CALLS: Mapping[tuple[str, str], Call] = MappingProxyType(
    {
        ("POST", "registered-models/create"): _create_name,
        ("GET", "registered-models/get"): _get_name,
        ("PATCH", "registered-models/update"): _update_name,
        ("POST", "registered-models/rename"): _rename,
        ("DELETE", "registered-models/delete"): _delete_name,
        ("GET", "registered-models/search"): _search_names,
        ("GET", "registered-models/get-latest-versions"): _latest_versions,
        ("POST", "registered-models/get-latest-versions"): _latest_versions,
        ("POST", "registered-models/set-tag"): _tag_name,
        ("DELETE", "registered-models/delete-tag"): _untag_name,
        ("POST", "registered-models/alias"): _set_alias,
        ("DELETE", "registered-models/alias"): _delete_alias,
        ("GET", "registered-models/alias"): _get_aliased,
        ("POST", "model-versions/create"): _create_version,
        ("GET", "model-versions/get"): _get_version,
        ("PATCH", "model-versions/update"): _update_version,
        ("POST", "model-versions/transition-stage"): _transition,
        ("DELETE", "model-versions/delete"): _delete_version,
        ("GET", "model-versions/search"): _search_versions,
        ("GET", "model-versions/get-download-uri"): _download_uri,
        ("POST", "model-versions/set-tag"): _tag_version,
        ("DELETE", "model-versions/delete-tag"): _untag_version,
    }
)
"""By method and the path below `/api/2.0/mlflow/`."""
