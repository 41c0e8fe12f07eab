"""`slipway clusters`: AKS clusters of an Azure ML workspace, over HTTP."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import TypeAdapter
from rich.table import Table

from app.cli.answers import Cluster
from app.cli.connection import ClientSettings, Connection, Reply, connected, read_as
from app.cli.options import AsJson, Seconds, Wait, Workspace, segment
from app.cli.outcome import Wanted, end_as, follow, tell_error, told
from app.cli.plain import as_json as json_text
from app.cli.plain import one_line
from app.cli.progress import console_for

_CLUSTER = TypeAdapter(Cluster)
_AMONG = "clusters"

_Name = Annotated[str, typer.Argument(help="The cluster's name.")]


def add_to(app: typer.Typer) -> None:
    """Add the command group to `app`."""
    group = typer.Typer(
        help="AKS clusters that models are deployed to.", no_args_is_help=True
    )
    group.command("list")(told(list_))
    group.command("get")(told(get))
    group.command("put")(told(put))
    group.command("delete")(told(delete))
    app.add_typer(group, name="clusters")


def list_(*, workspace: Workspace, as_json: AsJson = False) -> None:
    """List the clusters, and what else the workspace has at Azure."""
    with connected(ClientSettings()) as connection:
        page = connection.get(_all(workspace))
    if as_json:
        typer.echo(json_text(page["items"]))
    else:
        table = Table("name", "state", "at Azure", "managed by")
        for item in page["items"]:
            shown = ("name", "state", "provisioning_state", "managed_by")
            table.add_row(*(one_line(str(item.get(one) or "")) for one in shown))
        console_for().print(table)
    if page.get("azure_error"):
        reason = one_line(str(page["azure_error"]))
        console_for(error=True).print(f"Azure did not tell the rest: {reason}")


def get(name: _Name, *, workspace: Workspace, as_json: AsJson = False) -> None:
    """Show a cluster."""
    with connected(ClientSettings()) as connection:
        value = connection.get(_one(workspace, name))
    _show(value, Wanted(wait=False, seconds=None, as_json=as_json))


def put(
    name: _Name,
    *,
    workspace: Workspace,
    file: Annotated[
        Path | None,
        typer.Option(
            "--file",
            "-f",
            help="The body as JSON; `-` is standard input; default: {}, a new "
            "cluster with every default.",
        ),
    ] = None,
    wait: Wait = True,
    timeout: Seconds = None,
    as_json: AsJson = False,
) -> None:
    """Create, attach or change a cluster; an unchanged request changes nothing.

    Ends as `deploy` does: 0 succeeded, 1 failed, 2 refused, 3 canceled, 4 timed out.
    """
    body = _body(file)
    wanted = Wanted(wait=wait, seconds=timeout, as_json=as_json)
    with connected(ClientSettings()) as connection:
        reply = connection.send("PUT", _one(workspace, name), body=body)
        _conclude(connection, reply, wanted)


def delete(
    name: _Name,
    *,
    workspace: Workspace,
    underlying: Annotated[
        str | None,
        typer.Option(help="delete or detach the AKS cluster; default: as it came."),
    ] = None,
    wait: Wait = True,
    timeout: Seconds = None,
    as_json: AsJson = False,
) -> None:
    """Delete or detach a cluster that nothing is deployed to."""
    wanted = Wanted(wait=wait, seconds=timeout, as_json=as_json)
    params = {} if underlying is None else {"underlying": underlying}
    with connected(ClientSettings()) as connection:
        reply = connection.send("DELETE", _one(workspace, name), params=params)
        _conclude(connection, reply, wanted)


def _conclude(connection: Connection, reply: Reply, wanted: Wanted) -> None:
    cluster = read_as(_CLUSTER, reply.value)
    operation = cluster.latest_operation
    if wanted.wait and not operation.has_ended:
        operation = follow(
            connection, cluster.id, operation, wanted=wanted, among=_AMONG
        )
    _show(connection.get(f"/v1/{_AMONG}/{segment(cluster.id)}"), wanted)
    end_as(operation, wanted)


def _show(value: Any, wanted: Wanted) -> None:  # noqa: ANN401 - JSON
    if wanted.as_json:
        typer.echo(json_text(value))
        return
    cluster = read_as(_CLUSTER, value)
    console = console_for()
    azure = f" ({cluster.provisioning_state})" if cluster.provisioning_state else ""
    place = f"{cluster.workspace}/{cluster.name}"
    console.print(one_line(f"{place} is {cluster.state}{azure}"))
    for error in cluster.provisioning_errors:
        console.print(one_line(f"  {error.code}: {error.message}"))
    if cluster.resource_id:
        console.print(one_line(cluster.resource_id))
    tell_error(cluster.latest_operation, wanted)


def _body(file: Path | None) -> dict[str, Any]:
    if file is None:
        return {}
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text()
        body = json.loads(text)
    except (OSError, ValueError) as error:
        raise typer.BadParameter(f"{file}: {error}") from error
    if not isinstance(body, dict):
        raise typer.BadParameter(f"{file}: not a JSON object")
    return body


def _all(workspace: str) -> str:
    return f"/v1/workspaces/{segment(workspace)}/{_AMONG}"


def _one(workspace: str, name: str) -> str:
    return f"{_all(workspace)}/{segment(name)}"
