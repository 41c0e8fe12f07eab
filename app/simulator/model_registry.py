"""The registered models of a workspace: one registry, seen by v1 and by MLflow."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from app.simulator.artifacts import ArtifactStore
from app.simulator.errors import AzureError
from app.simulator.world import SimulatedWorkspace

_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9\-._]{0,254}")


@dataclass(kw_only=True, slots=True)
class Asset:
    """A set of artifacts that a model points at: ids and prefixes of ids."""

    id: str
    name: str
    artifacts: list[dict[str, str]]
    created_at: datetime
    fields: dict[str, object] = field(default_factory=dict)


@dataclass(kw_only=True, slots=True)
class RegisteredModel:
    """One version of a model; what v1 calls a model and MLflow a model version.

    `url` says where its files are: `aml://asset/<id>`, or an artifact's
    `aml://artifactId/<origin>/<container>/<path>`. `fields` holds what only v1 knows,
    by its names on the wire; `aliases` and `stage` are MLflow's.
    """

    name: str
    version: int
    url: str
    created_at: datetime
    modified_at: datetime
    description: str | None = None
    run_id: str | None = None
    tags: dict[str, str] = field(default_factory=dict)
    properties: dict[str, str] = field(default_factory=dict)
    fields: dict[str, object] = field(default_factory=dict)
    aliases: set[str] = field(default_factory=set)
    stage: str = "None"

    @property
    def id(self) -> str:
        """The name and version as v1 writes them."""
        return f"{self.name}:{self.version}"


class ModelRegistry:
    """Models and assets of one workspace; a part of it. Versions are never reused."""

    def __init__(self, workspace: SimulatedWorkspace) -> None:
        self._world = workspace.world
        self._artifacts = workspace.part(ArtifactStore)
        self._models: dict[tuple[str, int], RegisteredModel] = {}
        self._newest: dict[str, int] = {}
        self._assets: dict[str, Asset] = {}

    def add_asset(
        self,
        name: str,
        artifacts: list[dict[str, str]],
        fields: Mapping[str, object],
    ) -> Asset:
        """Keep a new asset."""
        asset = Asset(
            id=self._world.new_id().replace("-", ""),
            name=name,
            artifacts=artifacts,
            created_at=self._world.clock.now(),
            fields=dict(fields),
        )
        self._assets[asset.id] = asset
        return asset

    def asset(self, asset_id: str) -> Asset:
        """Return an asset; the service's 404 without one."""
        if asset_id not in self._assets:
            raise _missing("AssetNotFound", f"Asset with id {asset_id} not found.")
        return self._assets[asset_id]

    def assets(self) -> list[Asset]:
        """Return every asset, oldest first."""
        return list(self._assets.values())

    def delete_asset(self, asset_id: str) -> bool:
        """Forget an asset; tell whether there was one."""
        return self._assets.pop(asset_id, None) is not None

    def register(
        self,
        name: str,
        url: str,
        *,
        description: str | None = None,
        run_id: str | None = None,
        fields: Mapping[str, object] | None = None,
    ) -> RegisteredModel:
        """Add the next version of `name`."""
        if not _NAME.fullmatch(name):
            raise AzureError(
                400,
                "BadRequest",
                "The request is invalid.",
                details=(("InvalidModelName", f"Invalid model name {name!r}."),),
            )
        now = self._world.clock.now()
        version = self._newest.get(name, 0) + 1
        model = RegisteredModel(
            name=name,
            version=version,
            url=url,
            created_at=now,
            modified_at=now,
            description=description,
            run_id=run_id,
            fields=dict(fields or {}),
        )
        self._models[name, version] = model
        self._newest[name] = version
        return model

    def find(self, name: str, version: int) -> RegisteredModel | None:
        """Return one version, if there is one."""
        return self._models.get((name, version))

    def get(self, model_id: str) -> RegisteredModel:
        """Return the model `name:version`; the service's 404 without one."""
        name, _, version = model_id.rpartition(":")
        found = self.find(name, int(version)) if version.isdecimal() else None
        if found is None:
            raise _missing("ModelNotFound", f"Model with id {model_id} not found.")
        return found

    def models(self, name: str | None = None) -> list[RegisteredModel]:
        """Return all versions (of `name`), newest first."""
        return [
            model
            for model in reversed(self._models.values())
            if name is None or model.name == name
        ]

    def delete(self, model: RegisteredModel) -> None:
        """Remove one version."""
        self._models.pop((model.name, model.version), None)

    def files(self, model: RegisteredModel) -> dict[str, bytes]:
        """Return the model's uploaded files by their path inside the model."""
        found: dict[str, bytes] = {}
        for prefix in self.prefixes(model):
            origin, container, path = prefix.split("/", 2)
            for artifact in self._artifacts.list(origin, container, path):
                inside = artifact.path.removeprefix(path).lstrip("/")
                name = inside or artifact.path.rpartition("/")[2]
                if self._artifacts.has_content(artifact):
                    found[name] = self._artifacts.read(artifact)
        return found

    def prefixes(self, model: RegisteredModel) -> list[str]:
        """Return where the model's files lie: origin, container and path of each."""
        kind, _, rest = model.url.removeprefix("aml://").partition("/")
        match kind.lower():
            case "asset" if rest in self._assets:
                pointed = self._assets[rest].artifacts
                prefixes = [
                    each.get("prefix") or each.get("id", "") for each in pointed
                ]
            case "artifact" | "artifactid":
                prefixes = [rest]
            case _:
                prefixes = []
        return [prefix for prefix in prefixes if prefix.count("/") > 1]


def _missing(code: str, message: str) -> AzureError:
    return AzureError(404, "NotFound", "Not found", details=((code, message),))
