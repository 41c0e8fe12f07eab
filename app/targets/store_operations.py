"""What Slipway asks of an MLflow store, one question or one change at a time.

Methods take and return plain data: they are called over a pipe, in the child process
of `app.targets.mlflow_child`.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from app.core.target import ModelFacts
from app.targets.failures import model_not_found
from app.targets.model_files import FileLimits, copy_tree
from app.targets.model_reader import ModelReader, StoreClient, join_location
from app.targets.registration import OPERATION_TAG, SOURCE_TAG
from app.targets.removal import remove_tree
from app.targets.store_azure import files_of

# The methods that change the store; they need a lease.
WRITES = frozenset({"create_model", "create_version", "delete_version"})

_READY = "READY"
_PAGE = 1000

Answer = dict[str, Any]


class StoreOperations:
    """One store, read and written through MLflow's client.

    `has_name` tells whether a registered model exists; `has_logged_models` whether the
    store knows those of MLflow 3, which a workspace of Azure ML does not.
    """

    def __init__(
        self,
        client: StoreClient,
        reader: ModelReader,
        *,
        has_name: Callable[[str], bool],
        has_logged_models: bool = True,
    ) -> None:
        self._client = client
        self._reader = reader
        self._has_name = has_name
        self._has_logged_models = has_logged_models

    def locate_run_model(self, run_id: str, path: str) -> Answer:
        """Return the source under which a run's model is registered."""
        run = self._client.get_run(run_id)
        source = join_location(run.info.artifact_uri, path)
        if self._reader.holds_model(source):
            return {"source": source, "run_id": run_id, "model_id": None}
        model = self._logged_by(run, path) if self._has_logged_models else None
        if model is None:
            raise model_not_found(f"run {run_id} has no model at {path!r}")
        return self._located(model, run_id)

    def locate_logged_model(self, model_id: str) -> Answer:
        """Return the source under which a logged model is registered."""
        if not self._has_logged_models:
            raise model_not_found(
                "a workspace of Azure ML has no logged models",
                remedy="Name the model by its run: runs:/<run>/<path>.",
            )
        model = self._client.get_logged_model(model_id)
        return self._located(model, model.source_run_id)

    def version(self, name: str, version: str) -> Answer:
        """Return a registered version, which must be ready."""
        return _ready(self._client.get_model_version(name, version))

    def aliased(self, name: str, alias: str) -> Answer:
        """Return the registered version that an alias names now."""
        return _ready(self._client.get_model_version_by_alias(name, alias))

    def newest(self, name: str, stage: str | None) -> Answer:
        """Return the newest version that is ready, of a stage or of all."""
        for one in self._versions(name):
            is_wanted = stage is None or one.current_stage.lower() == stage.lower()
            if is_wanted and one.status == _READY:
                return {"name": name, "version": str(one.version)}
        where = "" if stage is None else f" in stage {stage!r}"
        raise model_not_found(f"no version of {name!r}{where} is ready")

    def same_source(
        self, name: str, *, uri: str, source: str, run_id: str | None
    ) -> Answer:
        """Return every ready version of that very model, with who made it."""
        found = [
            {"version": int(one.version), "operation": one.tags.get(OPERATION_TAG)}
            for one in self._versions(name)
            if one.status == _READY and _is_made_of(one, uri, source, run_id)
        ]
        return {"versions": found}

    def has_model(self, name: str) -> Answer:
        """Return whether a registered model of that name exists."""
        # Not by a search: MLflow adds a filter to it that not every server reads.
        return {"exists": self._has_name(name)}

    def create_model(self, name: str) -> Answer:
        """Make a registered model without versions."""
        self._client.create_registered_model(name)
        return {}

    def create_version(
        self,
        name: str,
        *,
        source: str,
        run_id: str | None,
        model_id: str | None,
        tags: Mapping[str, str],
    ) -> Answer:
        """Make one version, its tags in the same call."""
        made = self._client.create_model_version(
            name=name,
            source=source,
            run_id=run_id,
            tags=dict(tags),
            # The caller looks again anyway; waiting here would outlast the lease.
            await_creation_for=0,
            model_id=model_id,
        )
        return {"version": int(made.version)}

    def delete_version(self, name: str, version: str) -> Answer:
        """Remove one version."""
        self._client.delete_model_version(name, version)
        return {}

    def inspect(self, name: str, version: str) -> Answer:
        """Return a version's ModelFacts, as their fields."""
        source = self._reader.open_version(name, version)
        description = self._reader.describe(source)
        facts = ModelFacts(
            flavors=description.flavors,
            python_version=description.python_version,
            mlflow_version=description.mlflow_version,
            has_signature=description.has_signature,
            example=self._reader.example(source, description.example_path),
            size_bytes=description.size_bytes,
            conda_yaml=self._reader.environment(source, description.conda_path),
        )
        return asdict(facts)

    def fetch(
        self, name: str, version: str, *, into: str, max_bytes: int, max_files: int
    ) -> Answer:
        """Copy a version's files to the new directory `into`."""
        limits = FileLimits(max_bytes=max_bytes, max_files=max_files)
        # What a try before this one left that a refused token had ended.
        remove_tree(Path(into))
        source = self._reader.open_version(name, version)
        self._reader.describe(source)
        size = copy_tree(source, Path(into), limits)
        return {"size_bytes": size}

    def _located(self, model: Any, run_id: str | None) -> Answer:  # noqa: ANN401
        if str(model.status) != _READY:
            raise model_not_found(f"logged model {model.model_id} is not ready")
        self._reader.follow(model.artifact_location)
        source = f"models:/{model.model_id}"
        return {"source": source, "run_id": run_id, "model_id": model.model_id}

    def _logged_by(self, run: Any, name: str) -> Any:  # noqa: ANN401
        """Return the model of that name that the run logged last, as MLflow does."""
        run_id = run.info.run_id
        models = self._paged(
            self._client.search_logged_models,
            experiment_ids=[run.info.experiment_id],
            filter_string=f"source_run_id = '{run_id}'",
        )
        steps = {one.model_id: one.step for one in run.outputs.model_outputs or ()}
        named = [one for one in models if one.name == name]
        mine = [one for one in named if one.source_run_id == run_id]
        return max(mine, key=lambda one: steps.get(one.model_id, -1), default=None)

    def _versions(self, name: str) -> list[Any]:
        """Return the versions of a registered model, newest first."""
        found = self._paged(
            self._client.search_model_versions,
            filter_string=f"name = {_quoted(name)}",
            max_results=_PAGE,
        )
        # Sorted here: a server that ignores an order would name an old one "latest".
        mine = [one for one in found if one.name == name]
        return sorted(mine, key=lambda one: int(one.version), reverse=True)

    @staticmethod
    def _paged(search: Callable[..., Any], **query: object) -> list[Any]:
        found: list[Any] = []
        token = None
        while True:
            page = search(**query, page_token=token)
            found.extend(page)
            token = page.token
            if not token:
                return found


def _ready(version: Any) -> Answer:  # noqa: ANN401
    if version.status != _READY:
        what = f"version {version.version} of {version.name!r} is not ready"
        raise model_not_found(what)
    return {"name": version.name, "version": str(version.version)}


def _is_made_of(version: Any, uri: str, source: str, run_id: str | None) -> bool:  # noqa: ANN401
    if version.tags.get(SOURCE_TAG) == uri:
        return True
    is_same = files_of(version.source) == files_of(source)
    return is_same and (version.run_id or None) in {run_id, None}


def _quoted(name: str) -> str:
    """Return `name` for a filter of MLflow's, which knows no escapes."""
    if "'" not in name:
        return f"'{name}'"
    if '"' not in name:
        return f'"{name}"'
    raise model_not_found("its name holds both kinds of quotes, so it cannot be asked")
