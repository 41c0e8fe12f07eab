"""`slipway workspaces`: where models come from, over HTTP."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Annotated, Any

import typer
from rich.table import Table

from app.cli.client_reading import all_items
from app.cli.connection import ClientSettings, connected
from app.cli.options import AsJson, segment
from app.cli.outcome import told
from app.cli.plain import as_json as json_text
from app.cli.plain import one_line
from app.cli.progress import console_for


def add_to(app: typer.Typer) -> None:
    """Add the command group to `app`."""
    group = typer.Typer(
        help="Where models come from and are deployed.", no_args_is_help=True
    )
    group.command("list")(told(list_))
    group.command("put")(told(put))
    app.add_typer(group, name="workspaces")


def list_(*, as_json: AsJson = False) -> None:
    """List the workspaces."""
    with connected(ClientSettings()) as connection:
        items = all_items(connection, "/v1/workspaces", {})
    if as_json:
        typer.echo(json_text(items))
        return
    table = Table("name", "kind", "where", "projects")
    for item in items:
        identity: dict[str, Any] = item.get("identity", {})
        projects = item.get("projects")
        granted = "all" if projects is None else " ".join(projects)
        cells = (item.get("name"), identity.get("kind"), _where(identity), granted)
        table.add_row(*(one_line(str(cell or "")) for cell in cells))
    console_for().print(table)


def put(  # noqa: PLR0913 - one argument an option
    name: Annotated[str, typer.Argument(help="The workspace's name.")],
    *,
    tracking_uri: Annotated[
        str | None,
        typer.Option(help="MLflow: http(s), or a store inside SLIPWAY_LOCAL_STORES."),
    ] = None,
    registry_uri: Annotated[
        str | None, typer.Option(help="MLflow; default: the tracking URI.")
    ] = None,
    subscription_id: Annotated[
        str | None, typer.Option(help="Azure ML: the subscription it is in.")
    ] = None,
    resource_group: Annotated[
        str | None, typer.Option(help="Azure ML: the resource group it is in.")
    ] = None,
    workspace_name: Annotated[
        str | None, typer.Option(help="Azure ML: its own name there.")
    ] = None,
    region: Annotated[
        str | None, typer.Option(help="Azure ML: its region, as in eastus2.")
    ] = None,
    cloud: Annotated[
        str | None, typer.Option(help="Azure ML; default: AzureCloud.")
    ] = None,
    credential: Annotated[
        str | None, typer.Option(help="Azure ML: a declared name; default: default.")
    ] = None,
    project: Annotated[
        list[str] | None, typer.Option(help="May deploy there; repeat; default: all.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Create or change a workspace, of MLflow or of Azure ML (needs the scope admin).

    What is not given gets its default: a PUT says all of it.
    """
    mlflow = {"tracking_uri": tracking_uri, "registry_uri": registry_uri}
    azureml = {
        "subscription_id": subscription_id,
        "resource_group": resource_group,
        "workspace_name": workspace_name,
        "region": region,
        "cloud": cloud,
        "credential": credential,
    }
    body = _body(mlflow, azureml)
    if project:
        body["projects"] = project
    with connected(ClientSettings()) as connection:
        path = f"/v1/workspaces/{segment(name)}"
        reply = connection.send("PUT", path, body=body)
    if as_json:
        typer.echo(json_text(reply.value))
    else:
        typer.echo(f"The workspace {one_line(name)} stands.")


def _body(
    mlflow: Mapping[str, str | None], azureml: Mapping[str, str | None]
) -> dict[str, Any]:
    """Return what is sent: of one kind, with what was given and nothing else."""
    given = {
        kind: {field: value for field, value in fields.items() if value is not None}
        for kind, fields in (("mlflow", mlflow), ("azureml", azureml))
    }
    kinds = [kind for kind, fields in given.items() if fields]
    if len(kinds) != 1:
        raise typer.BadParameter(
            "Give --tracking-uri for MLflow, or --subscription-id, --resource-group, "
            "--workspace-name and --region for Azure ML."
        )
    return {"kind": kinds[0], **given[kinds[0]]}


def _where(identity: Mapping[str, Any]) -> str:
    if identity.get("kind") != "azureml":
        return str(identity.get("tracking_uri") or "")
    place = "{resource_group}/{workspace_name} in {region}"
    return place.format_map(defaultdict(str, identity))
