"""A workspace's MLflow tracking: experiments and runs, kept in memory."""

from dataclasses import dataclass, field

from app.simulator.errors import AzureError
from app.simulator.mlflow_fields import Answer, Fields, invalid, key_values, missing
from app.simulator.mlflow_filter import Value
from app.simulator.world import SimulatedWorkspace

# The experiment that MLflow's client names by this id when it is told none.
_DEFAULT_ALIAS = "0"
_DEFAULT_NAME = "Default"


@dataclass(kw_only=True, slots=True)
class Experiment:
    """A named group of runs."""

    id: str
    name: str
    created_at: int
    updated_at: int
    is_deleted: bool = False
    tags: dict[str, str] = field(default_factory=dict)

    def lookup(self, key: str) -> Value:
        """Return what a search finds under `key`."""
        kind, _, rest = key.partition(".")
        if kind in {"tag", "tags"}:
            return self.tags.get(rest)
        values: dict[str, Value] = {
            "name": self.name,
            "experiment_id": self.id,
            "creation_time": self.created_at,
            "last_update_time": self.updated_at,
        }
        return values.get(rest or kind)


@dataclass(kw_only=True, slots=True)
class Run:
    """One run; a metric keeps every value that was logged, in order."""

    id: str
    name: str
    experiment: Experiment
    user: str
    started_at: int
    artifact_uri: str
    ended_at: int | None = None
    status: str = "RUNNING"
    is_deleted: bool = False
    tags: dict[str, str] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, list[Answer]] = field(default_factory=dict)

    def info(self) -> Answer:
        """Return it as MLflow's RunInfo."""
        told: Answer = {
            "run_id": self.id,
            "run_uuid": self.id,
            "run_name": self.name,
            "experiment_id": self.experiment.id,
            "user_id": self.user,
            "status": self.status,
            "start_time": self.started_at,
            "artifact_uri": self.artifact_uri,
            "lifecycle_stage": "deleted" if self.is_deleted else "active",
        }
        return told if self.ended_at is None else {**told, "end_time": self.ended_at}

    def tell(self) -> Answer:
        """Return it as MLflow's Run."""
        data: Answer = {
            "metrics": [values[-1] for values in self.metrics.values()],
            "params": key_values(self.params),
            "tags": key_values(self.tags),
        }
        return {"info": self.info(), "data": data, "inputs": {}}

    def lookup(self, key: str) -> Value:
        """Return what a search finds under `key`."""
        kind, _, rest = key.partition(".")
        if kind in {"tag", "tags"}:
            return self.tags.get(rest)
        if kind in {"param", "params", "parameters"}:
            return self.params.get(rest)
        if kind in {"metric", "metrics"}:
            found = self.metrics.get(rest)
            return None if found is None else _value(found[-1])
        value = self.info().get(rest or kind)
        return value if isinstance(value, str | int | float) else None


class Tracking:
    """The experiments and runs of one workspace."""

    def __init__(self, workspace: SimulatedWorkspace) -> None:
        self._workspace = workspace
        self.experiments: dict[str, Experiment] = {}
        self.runs: dict[str, Run] = {}
        self.create_experiment(_DEFAULT_NAME, {})

    def now(self) -> int:
        """Return the simulated moment in MLflow's unit, milliseconds."""
        return int(self._workspace.world.clock.now().timestamp() * 1000)

    def create_experiment(self, name: str, tags: dict[str, str]) -> Experiment:
        """Add an experiment. Raises AzureError if the name is taken."""
        if self.named(name) is not None:
            raise AzureError(
                400,
                "RESOURCE_ALREADY_EXISTS",
                f"Experiment with name '{name}' already exists.",
            )
        now = self.now()
        made = Experiment(
            id=self._workspace.world.new_id(),
            name=name,
            created_at=now,
            updated_at=now,
            tags=tags,
        )
        self.experiments[made.id] = made
        return made

    def named(self, name: str) -> Experiment | None:
        """Return the experiment of that name."""
        found = [one for one in self.experiments.values() if one.name == name]
        return found[0] if found else None

    def experiment(self, key: str) -> Experiment:
        """Return the experiment with the id (or name) `key`. Raises AzureError."""
        name = _DEFAULT_NAME if key == _DEFAULT_ALIAS else key
        found = self.experiments.get(key) or self.named(name)
        if found is None:
            raise missing(f"Could not find experiment with ID {key}.")
        return found

    def tell_experiment(self, experiment: Experiment) -> Answer:
        """Return it as MLflow's Experiment."""
        return {
            "experiment_id": experiment.id,
            "name": experiment.name,
            "artifact_location": "",
            "lifecycle_stage": "deleted" if experiment.is_deleted else "active",
            "creation_time": experiment.created_at,
            "last_update_time": experiment.updated_at,
            "tags": key_values(experiment.tags),
        }

    def create_run(self, fields: Fields) -> Run:
        """Add a run to an experiment. Raises AzureError."""
        experiment = self.experiment(fields.text("experiment_id", _DEFAULT_ALIAS))
        if experiment.is_deleted:
            raise invalid(f"The experiment {experiment.id} must be in 'active' state.")
        run_id = self._workspace.world.new_id()
        tags = fields.pairs("tags")
        name = fields.text("run_name") or tags.get("mlflow.runName", run_id[:8])
        made = Run(
            id=run_id,
            name=name,
            experiment=experiment,
            user=fields.text("user_id", "simulated"),
            started_at=fields.number("start_time", self.now()),
            artifact_uri=self._artifact_uri(experiment, run_id),
            tags={**tags, "mlflow.runName": name, "mlflow.rootRunId": run_id},
        )
        self.runs[run_id] = made
        return made

    def run(self, fields: Fields) -> Run:
        """Return the run that the request names. Raises AzureError."""
        run_id = fields.text("run_id") or fields.required("run_uuid")
        found = self.runs.get(run_id)
        if found is None:
            raise missing(f"Run with id={run_id} not found.")
        return found

    def log(self, run: Run, fields: Fields) -> None:
        """Add metrics, params and tags. Raises AzureError if a param changes."""
        params = fields.pairs("params")
        for key, value in params.items():
            if run.params.get(key, value) != value:
                raise invalid(
                    f"Changing param values is not allowed. Param with key='{key}' "
                    f"was already logged with value='{run.params[key]}'."
                )
        run.params.update(params)
        run.tags.update(fields.pairs("tags"))
        for metric in fields.items("metrics"):
            self.log_metric(run, metric)

    def log_metric(self, run: Run, metric: Fields) -> None:
        """Add one value of a metric."""
        try:
            value = float(metric.required("value"))
        except ValueError as error:
            raise invalid("The value of a metric is a number.") from error
        key = metric.required("key")
        logged: Answer = {
            "key": key,
            "value": value,
            "timestamp": metric.number("timestamp", self.now()),
            "step": metric.number("step", 0),
        }
        run.metrics.setdefault(key, []).append(logged)

    def _artifact_uri(self, experiment: Experiment, run_id: str) -> str:
        workspace = self._workspace
        return (
            f"azureml://{workspace.region}.api.azureml.ms/mlflow/v2.0"
            f"{workspace.arm_id}/experiments/{experiment.id}/runs/{run_id}/artifacts"
        )


def artifact_container(run_id: str) -> str:
    """Return the container of the origin `ExperimentRun` that holds a run's files."""
    return f"dcid.{run_id}"


def _value(metric: Answer) -> float:
    value = metric["value"]
    return value if isinstance(value, float) else 0.0
