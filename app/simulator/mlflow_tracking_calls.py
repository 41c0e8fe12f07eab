"""The calls of MLflow's tracking REST: functions of a workspace and its fields."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from app.simulator.artifacts import ArtifactStore
from app.simulator.mlflow_fields import Answer, Fields, missing, page
from app.simulator.mlflow_filter import matches, ordered
from app.simulator.mlflow_tracking import Experiment, Run, Tracking, artifact_container
from app.simulator.world import SimulatedWorkspace

Call = Callable[[SimulatedWorkspace, Fields], Answer]

_PAGE = 1000


def _create_experiment(workspace: SimulatedWorkspace, fields: Fields) -> Answer:
    tracking = workspace.part(Tracking)
    made = tracking.create_experiment(fields.required("name"), fields.pairs("tags"))
    return {"experiment_id": made.id}


def _get_experiment(workspace: SimulatedWorkspace, fields: Fields) -> Answer:
    tracking = workspace.part(Tracking)
    found = tracking.experiment(fields.required("experiment_id"))
    return {"experiment": tracking.tell_experiment(found)}


def _get_experiment_by_name(workspace: SimulatedWorkspace, fields: Fields) -> Answer:
    tracking = workspace.part(Tracking)
    name = fields.required("experiment_name")
    found = tracking.named(name)
    if found is None:
        raise missing(f"Could not find experiment with name '{name}'.")
    return {"experiment": tracking.tell_experiment(found)}


def _search_experiments(workspace: SimulatedWorkspace, fields: Fields) -> Answer:
    tracking = workspace.part(Tracking)
    wanted = [
        one
        for one in tracking.experiments.values()
        if _is_viewed(one, fields.text("view_type", "ACTIVE_ONLY"))
        and matches(fields.text("filter"), one.lookup)
    ]
    clauses = fields.texts("order_by") or ["last_update_time DESC"]
    found = ordered(wanted, clauses, Experiment.lookup)
    told = [tracking.tell_experiment(one) for one in found]
    return page(told, fields, name="experiments", default=_PAGE)


def _set_experiment(*, is_deleted: bool) -> Call:
    def call(workspace: SimulatedWorkspace, fields: Fields) -> Answer:
        tracking = workspace.part(Tracking)
        experiment = tracking.experiment(fields.required("experiment_id"))
        experiment.is_deleted = is_deleted
        experiment.updated_at = tracking.now()
        return {}

    return call


def _update_experiment(workspace: SimulatedWorkspace, fields: Fields) -> Answer:
    tracking = workspace.part(Tracking)
    experiment = tracking.experiment(fields.required("experiment_id"))
    experiment.name = fields.text("new_name", experiment.name)
    experiment.updated_at = tracking.now()
    return {}


def _tag_experiment(workspace: SimulatedWorkspace, fields: Fields) -> Answer:
    tracking = workspace.part(Tracking)
    experiment = tracking.experiment(fields.required("experiment_id"))
    experiment.tags[fields.required("key")] = fields.text("value")
    return {}


def _create_run(workspace: SimulatedWorkspace, fields: Fields) -> Answer:
    return {"run": workspace.part(Tracking).create_run(fields).tell()}


def _get_run(workspace: SimulatedWorkspace, fields: Fields) -> Answer:
    return {"run": workspace.part(Tracking).run(fields).tell()}


def _update_run(workspace: SimulatedWorkspace, fields: Fields) -> Answer:
    run = workspace.part(Tracking).run(fields)
    run.status = fields.text("status", run.status)
    run.name = fields.text("run_name", run.name)
    run.tags["mlflow.runName"] = run.name
    if fields.has("end_time"):
        run.ended_at = fields.number("end_time", 0)
    return {"run_info": run.info()}


def _set_run(*, is_deleted: bool) -> Call:
    def call(workspace: SimulatedWorkspace, fields: Fields) -> Answer:
        workspace.part(Tracking).run(fields).is_deleted = is_deleted
        return {}

    return call


def _search_runs(workspace: SimulatedWorkspace, fields: Fields) -> Answer:
    tracking = workspace.part(Tracking)
    experiments = {
        tracking.experiment(one).id for one in fields.texts("experiment_ids")
    }
    wanted = [
        run
        for run in tracking.runs.values()
        if run.experiment.id in experiments
        and _is_viewed(run, fields.text("run_view_type", "ACTIVE_ONLY"))
        and matches(fields.text("filter"), run.lookup)
    ]
    clauses = fields.texts("order_by") or ["start_time DESC"]
    told = [run.tell() for run in ordered(wanted, clauses, Run.lookup)]
    return page(told, fields, name="runs", default=_PAGE)


def _log_batch(workspace: SimulatedWorkspace, fields: Fields) -> Answer:
    tracking = workspace.part(Tracking)
    tracking.log(tracking.run(fields), fields)
    # Asked for asynchronously the answer is the same: nothing is left to wait for.
    return {}


def _log_metric(workspace: SimulatedWorkspace, fields: Fields) -> Answer:
    tracking = workspace.part(Tracking)
    tracking.log_metric(tracking.run(fields), fields)
    return {}


def _log_parameter(workspace: SimulatedWorkspace, fields: Fields) -> Answer:
    tracking = workspace.part(Tracking)
    param = {"key": fields.required("key"), "value": fields.text("value")}
    tracking.log(tracking.run(fields), Fields({"params": [param]}))
    return {}


def _set_tag(workspace: SimulatedWorkspace, fields: Fields) -> Answer:
    run = workspace.part(Tracking).run(fields)
    run.tags[fields.required("key")] = fields.text("value")
    return {}


def _delete_tag(workspace: SimulatedWorkspace, fields: Fields) -> Answer:
    run = workspace.part(Tracking).run(fields)
    key = fields.required("key")
    if run.tags.pop(key, None) is None:
        raise missing(f"No tag with name: {key} in run with id {run.id}")
    return {}


def _metric_history(workspace: SimulatedWorkspace, fields: Fields) -> Answer:
    run = workspace.part(Tracking).run(fields)
    values = run.metrics.get(fields.required("metric_key"), [])
    return page(values, fields, name="metrics", default=_PAGE)


def _list_artifacts(workspace: SimulatedWorkspace, fields: Fields) -> Answer:
    run = workspace.part(Tracking).run(fields)
    folder = fields.text("path").strip("/")
    prefix = f"{folder}/" if folder else ""
    container = artifact_container(run.id)
    found: dict[str, Answer] = {}
    for path in workspace.part(ArtifactStore).paths("ExperimentRun", container):
        if path.startswith(prefix):
            name, _, rest = path.removeprefix(prefix).partition("/")
            place = prefix + name
            found[place] = {"path": place, "is_dir": bool(rest)}
    return {"root_uri": run.artifact_uri, "files": list(found.values())}


def _is_viewed(record: Experiment | Run, view: str) -> bool:
    return view == "ALL" or record.is_deleted == (view == "DELETED_ONLY")


TRACKING_CALLS: Mapping[tuple[str, str], Call] = MappingProxyType(
    {
        ("POST", "experiments/create"): _create_experiment,
        ("GET", "experiments/get"): _get_experiment,
        ("GET", "experiments/get-by-name"): _get_experiment_by_name,
        ("GET", "experiments/search"): _search_experiments,
        ("POST", "experiments/search"): _search_experiments,
        ("POST", "experiments/delete"): _set_experiment(is_deleted=True),
        ("POST", "experiments/restore"): _set_experiment(is_deleted=False),
        ("POST", "experiments/update"): _update_experiment,
        ("POST", "experiments/set-experiment-tag"): _tag_experiment,
        ("POST", "runs/create"): _create_run,
        ("GET", "runs/get"): _get_run,
        ("POST", "runs/update"): _update_run,
        ("POST", "runs/delete"): _set_run(is_deleted=True),
        ("POST", "runs/restore"): _set_run(is_deleted=False),
        ("POST", "runs/search"): _search_runs,
        ("POST", "runs/log-batch"): _log_batch,
        ("POST", "runs/log-batch-async"): _log_batch,
        ("POST", "runs/log-metric"): _log_metric,
        ("POST", "runs/log-parameter"): _log_parameter,
        ("POST", "runs/set-tag"): _set_tag,
        ("POST", "runs/delete-tag"): _delete_tag,
        ("GET", "metrics/get-history"): _metric_history,
        ("GET", "artifacts/list"): _list_artifacts,
    }
)
"""By method and the path below `/api/2.0/mlflow/`."""
