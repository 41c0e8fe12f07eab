"""A workspace's MLflow registry: names and aliases over the models that v1 sees too."""

import re
from dataclasses import dataclass, field
from datetime import datetime

from app.simulator.errors import AzureError
from app.simulator.mlflow_fields import Answer, Fields, invalid, key_values, missing
from app.simulator.mlflow_filter import Value
from app.simulator.mlflow_tracking import Tracking, artifact_container
from app.simulator.model_registry import ModelRegistry, RegisteredModel
from app.simulator.world import SimulatedWorkspace

STAGES = ("None", "Staging", "Production", "Archived")

_ASSET = "azureml://artifacts/"
_ORIGIN = re.compile(r"[A-Za-z]+/[^/]+/.+")
_RUN = re.compile(
    r"azureml://[^/]+/mlflow/v\d\.0(?P<workspace>/subscriptions/[^?#]+"
    r"/workspaces/[^/]+)/experiments/[^/]+/runs/(?P<run>[^/]+)/artifacts/(?P<path>.+)",
    re.IGNORECASE,
)


@dataclass(kw_only=True, slots=True)
class RegisteredName:
    """What MLflow calls a registered model: a name with versions below it."""

    name: str
    created_at: int
    updated_at: int
    description: str = ""
    tags: dict[str, str] = field(default_factory=dict)

    def lookup(self, key: str) -> Value:
        """Return what a search finds under `key`."""
        kind, _, tag = key.partition(".")
        if kind in {"tag", "tags"}:
            # MLflow 3 adds to each search that the tag of a prompt is not "true".
            return self.tags.get(tag, "")
        values: dict[str, Value] = {
            "name": self.name,
            "timestamp": self.updated_at,
            "last_updated_timestamp": self.updated_at,
            "creation_timestamp": self.created_at,
        }
        return _known(key, values)


class MlflowRegistry:
    """The registered models of one workspace, as MLflow speaks of them."""

    def __init__(self, workspace: SimulatedWorkspace) -> None:
        self._workspace = workspace
        self._models = workspace.part(ModelRegistry)
        self._names: dict[str, RegisteredName] = {}
        # As the caller wrote it; v1 keeps an asset with the same files.
        self._sources: dict[tuple[str, int], str] = {}

    def now(self) -> int:
        """Return the simulated moment in MLflow's unit, milliseconds."""
        return _milliseconds(self._workspace.world.clock.now())

    def names(self) -> list[RegisteredName]:
        """Return every name, those of models that v1 registered included."""
        for model in self._models.models():
            moment = _milliseconds(model.created_at)
            made = RegisteredName(name=model.name, created_at=moment, updated_at=moment)
            self._names.setdefault(model.name, made)
        return sorted(self._names.values(), key=lambda one: one.name)

    def name(self, name: str) -> RegisteredName:
        """Return one name. Raises AzureError if nothing has it."""
        for one in self.names():
            if one.name == name:
                return one
        raise missing(f"Registered Model with name={name} not found")

    def create_name(self, fields: Fields) -> RegisteredName:
        """Add a name without versions. Raises AzureError if it is taken."""
        name = fields.required("name")
        if any(one.name == name for one in self.names()):
            raise AzureError(
                400,
                "RESOURCE_ALREADY_EXISTS",
                f"Registered Model (name={name}) already exists.",
            )
        made = RegisteredName(
            name=name,
            created_at=self.now(),
            updated_at=self.now(),
            description=fields.text("description"),
            tags=fields.pairs("tags"),
        )
        self._names[name] = made
        return made

    def delete_name(self, name: RegisteredName) -> None:
        """Remove a name with all of its versions."""
        for version in self.versions(name.name):
            self.delete(version)
        del self._names[name.name]

    def versions(self, name: str | None = None) -> list[RegisteredModel]:
        """Return all versions (of `name`), newest first."""
        return self._models.models(name)

    def version(self, fields: Fields) -> RegisteredModel:
        """Return the version that a request names. Raises AzureError."""
        name, number = fields.required("name"), fields.number("version", 0)
        found = self._models.find(name, number)
        if found is None:
            raise missing(f"Model Version (name={name}, version={number}) not found")
        return found

    def aliased(self, name: str, alias: str) -> RegisteredModel:
        """Return the version that an alias names. Raises AzureError."""
        self.name(name)
        for version in self.versions(name):
            if alias in version.aliases:
                return version
        raise AzureError(
            400, "INVALID_PARAMETER_VALUE", f"Registered model alias {alias} not found."
        )

    def create(self, fields: Fields) -> RegisteredModel:
        """Add the next version of a name. Raises AzureError."""
        name = self.name(fields.required("name"))
        source = fields.required("source")
        prefix = self._prefix(source)
        asset = self._models.add_asset(name.name, [{"prefix": prefix}], {})
        made = self._models.register(
            name.name,
            f"aml://asset/{asset.id}",
            description=fields.text("description") or None,
            run_id=fields.text("run_id") or None,
        )
        made.tags.update(fields.pairs("tags"))
        self._sources[name.name, made.version] = source
        name.updated_at = self.now()
        return made

    def delete(self, version: RegisteredModel) -> None:
        """Remove one version; its number is not given to another."""
        self._models.delete(version)
        self._sources.pop((version.name, version.version), None)

    def source(self, version: RegisteredModel) -> str:
        """Return where a version came from."""
        known = self._sources.get((version.name, version.version))
        return known or self.download_uri(version)

    def download_uri(self, version: RegisteredModel) -> str:
        """Return where a version's files are. Raises AzureError if it has none."""
        for prefix in self._models.prefixes(version):
            return _ASSET + prefix
        raise missing(f"The model {version.id} has no artifacts.")

    def tell_name(self, name: RegisteredName) -> Answer:
        """Return it as MLflow's RegisteredModel."""
        versions = self.versions(name.name)
        newest = {one.stage: one for one in reversed(versions)}
        aliases = [
            {"alias": alias, "version": str(one.version)}
            for one in versions
            for alias in sorted(one.aliases)
        ]
        return {
            "name": name.name,
            "creation_timestamp": name.created_at,
            "last_updated_timestamp": name.updated_at,
            "description": name.description,
            "latest_versions": [self.tell(one) for one in newest.values()],
            "tags": key_values(name.tags),
            "aliases": aliases,
        }

    def tell(self, version: RegisteredModel) -> Answer:
        """Return it as MLflow's ModelVersion."""
        return {
            "name": version.name,
            "version": str(version.version),
            "creation_timestamp": _milliseconds(version.created_at),
            "last_updated_timestamp": _milliseconds(version.modified_at),
            "user_id": "",
            "current_stage": version.stage,
            "description": version.description or "",
            "source": self.source(version),
            "run_id": version.run_id or "",
            "status": "READY",
            "tags": key_values(version.tags),
            "aliases": sorted(version.aliases),
        }

    def lookup(self, version: RegisteredModel, key: str) -> Value:
        """Return what a search finds under `key`."""
        values: dict[str, Value] = {
            "name": version.name,
            "version_number": version.version,
            "run_id": version.run_id or "",
            "source_path": self.source(version),
            "creation_timestamp": _milliseconds(version.created_at),
            "last_updated_timestamp": _milliseconds(version.modified_at),
        }
        return _known(key, values)

    def _prefix(self, source: str) -> str:
        """Return the artifacts that a source means, as v1 writes them."""
        asset = source.removeprefix(_ASSET)
        if asset != source and _ORIGIN.fullmatch(asset):
            return asset
        if (run := _RUN.fullmatch(source)) is None:
            raise invalid(f"Unsupported model source '{source}'.")
        if run["workspace"].lower() != self._workspace.arm_id.lower():
            raise invalid("The source is not in this workspace.")
        self._workspace.part(Tracking).run(Fields({"run_id": run["run"]}))
        return f"ExperimentRun/{artifact_container(run['run'])}/{run['path']}"


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _known(key: str, values: dict[str, Value]) -> Value:
    # The real registry cannot be searched by tag either.
    if key not in values:
        raise invalid(f"Invalid attribute key '{key}' specified.")
    return values[key]
