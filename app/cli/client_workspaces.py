"""`slipway workspaces`: where models come from, over HTTP."""

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
        help="The MLflow stores that models come from.", no_args_is_help=True
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
    table = Table("name", "kind", "tracking URI", "projects")
    for item in items:
        identity: dict[str, Any] = item.get("identity", {})
        projects = item.get("projects")
        granted = "all" if projects is None else " ".join(projects)
        cells = (
            item.get("name"),
            identity.get("kind"),
            identity.get("tracking_uri"),
            granted,
        )
        table.add_row(*(one_line(str(cell or "")) for cell in cells))
    console_for().print(table)


def put(
    name: Annotated[str, typer.Argument(help="The workspace's name.")],
    *,
    tracking_uri: Annotated[
        str, typer.Option(help="http(s), or a store inside SLIPWAY_LOCAL_STORES.")
    ],
    registry_uri: Annotated[
        str | None, typer.Option(help="Default: the tracking URI.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Create or change a workspace of the kind mlflow (needs the scope admin)."""
    body = {"kind": "mlflow", "tracking_uri": tracking_uri}
    if registry_uri is not None:
        body["registry_uri"] = registry_uri
    with connected(ClientSettings()) as connection:
        path = f"/v1/workspaces/{segment(name)}"
        reply = connection.send("PUT", path, body=body)
    if as_json:
        typer.echo(json_text(reply.value))
    else:
        typer.echo(f"The workspace {one_line(name)} stands.")
