"""`slipway doctor`: what a deployment to a workspace will need, tried beforehand."""

from typing import Annotated

import typer
from pydantic import TypeAdapter
from rich.console import Console

from app.cli.answers import Check, Checks
from app.cli.connection import ClientSettings, connected, read_as
from app.cli.options import AsJson, segment
from app.cli.outcome import ExitStatus, told
from app.cli.plain import as_json as json_text
from app.cli.plain import one_line
from app.cli.progress import console_for

_CHECKS = TypeAdapter(Checks)
_INDENT = 31


def add_to(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command()(told(doctor))


def doctor(
    *,
    workspace: Annotated[
        str, typer.Option("--workspace", "-w", help="The workspace to check.")
    ],
    as_json: AsJson = False,
) -> None:
    """Check a workspace at Azure, reading only; ends with 1 if something failed.

    Sign-in, the workspace, MLflow, permissions, container registry, quota and
    clusters, each with what mends it.
    """
    with connected(ClientSettings()) as connection:
        path = f"/v1/workspaces/{segment(workspace)}/check"
        value = connection.send("POST", path).value
    found = read_as(_CHECKS, value)
    if as_json:
        typer.echo(json_text(value))
    else:
        _tell(console_for(), found)
    if not found.ok:
        raise typer.Exit(ExitStatus.FAILED)


def _tell(console: Console, found: Checks) -> None:
    for check in found.checks:
        detail = one_line(check.detail)
        console.print(
            f"{one_line(check.status):<9} {one_line(check.name):<20} {detail}"
        )
        if check.remedy:
            console.print(f"{'':<{_INDENT}}{one_line(check.remedy)}")
    console.print(_summary(found.workspace, found.checks))


def _summary(workspace: str, checks: tuple[Check, ...]) -> str:
    failed = sum(check.status == "failed" for check in checks)
    warned = sum(check.status == "warning" for check in checks)
    name = one_line(workspace)
    if all(check.status == "skipped" for check in checks):
        return f"The workspace {name} is not one of Azure: there was nothing to check."
    if failed:
        return f"The workspace {name} cannot be deployed to: {failed} failed."
    if warned:
        return f"The workspace {name} can be deployed to, with {warned} to look at."
    return f"The workspace {name} can be deployed to."
