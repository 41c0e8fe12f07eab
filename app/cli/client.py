"""The client verbs that change something; like all of them, they speak HTTP only."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from app.cli import (
    client_clusters,
    client_doctor,
    client_reading,
    client_workspaces,
)
from app.cli.connection import ClientSettings, Connection, Reply, connected, read_as
from app.cli.options import AsJson, Name, Seconds, Wait, Workspace, by_name, segment
from app.cli.outcome import DEPLOYMENT, OPERATION, Wanted, conclude, told
from app.cli.progress import console_for

_DEFAULT_TARGET = "local"
_ACCEPTED = 202


def add_to(app: typer.Typer) -> None:
    """Add every client verb to `app`."""
    for verb in (deploy, rollback, delete, cancel, retry):
        app.command()(told(verb))
    client_reading.add_to(app)
    client_workspaces.add_to(app)
    client_clusters.add_to(app)
    client_doctor.add_to(app)


def deploy(  # noqa: PLR0913 - one argument an option
    name: Name,
    *,
    workspace: Workspace,
    model: Annotated[
        str | None, typer.Option(help="runs:/<run>/<path> or models:/<name>/<version>.")
    ] = None,
    target: Annotated[
        str | None, typer.Option(help="Kind of target; default: local.")
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option("--file", "-f", help="The body as JSON; `-` is standard input."),
    ] = None,
    queue: Annotated[
        bool, typer.Option("--queue", help="Wait in order behind what runs.")
    ] = False,
    wait: Wait = True,
    timeout: Seconds = None,
    as_json: AsJson = False,
) -> None:
    """Deploy or update a model; an unchanged request changes nothing.

    Ends with 0 if it succeeded, 1 failed, 2 refused or unreachable, 3 canceled,
    4 timed out.
    """
    body = _body(file, model=model, target=target)
    with connected(ClientSettings()) as connection:
        reply = connection.send(
            "PUT",
            by_name(workspace, name),
            body=body,
            params={"queue": "true"} if queue else None,
        )
        wanted = Wanted(wait=wait, seconds=timeout, as_json=as_json)
        _conclude(connection, reply, wanted)


def rollback(
    name: Name,
    *,
    workspace: Workspace,
    revision: Annotated[int, typer.Option(min=1, help="The revision to go back to.")],
    wait: Wait = True,
    timeout: Seconds = None,
    as_json: AsJson = False,
) -> None:
    """Serve an earlier revision again."""
    with connected(ClientSettings()) as connection:
        found = _find(connection, workspace, name)
        reply = connection.send(
            "POST",
            f"/v1/deployments/{segment(found)}/rollback",
            body={"revision": revision},
        )
        wanted = Wanted(wait=wait, seconds=timeout, as_json=as_json)
        _conclude(connection, reply, wanted)


def delete(
    name: Name,
    *,
    workspace: Workspace,
    wait: Wait = True,
    timeout: Seconds = None,
    as_json: AsJson = False,
) -> None:
    """Delete a deployment; whatever runs of it is canceled first."""
    with connected(ClientSettings()) as connection:
        reply = connection.send("DELETE", by_name(workspace, name))
        wanted = Wanted(wait=wait, seconds=timeout, as_json=as_json)
        _conclude(connection, reply, wanted)


def cancel(
    name: Name,
    *,
    workspace: Workspace,
    wait: Wait = True,
    timeout: Seconds = None,
    as_json: AsJson = False,
) -> None:
    """Cancel the latest operation; ends with 0 once it is canceled."""
    wanted = Wanted(wait=wait, seconds=timeout, as_json=as_json, end="canceled")
    _on_operation(name, workspace, "cancel", wanted)


def retry(
    name: Name,
    *,
    workspace: Workspace,
    wait: Wait = True,
    timeout: Seconds = None,
    as_json: AsJson = False,
) -> None:
    """Try the latest operation again, with the model version that it had pinned."""
    wanted = Wanted(wait=wait, seconds=timeout, as_json=as_json)
    _on_operation(name, workspace, "retry", wanted)


def _conclude(connection: Connection, reply: Reply, wanted: Wanted) -> None:
    """End as the operation does that `reply` started, or well if none was needed."""
    found = read_as(DEPLOYMENT, reply.value)
    operation = found.latest_operation
    if reply.status != _ACCEPTED and operation.has_ended:
        console_for(error=True).print("It already is as asked; nothing to do.")
        # An older change may have failed; what is asked now stands all the same.
        wanted = replace(wanted, end=operation.state)
    conclude(connection, found.id, operation, wanted)


def _on_operation(name: str, workspace: str, action: str, wanted: Wanted) -> None:
    with connected(ClientSettings()) as connection:
        value = connection.get(by_name(workspace, name))
        found = read_as(DEPLOYMENT, value)
        path = f"/v1/operations/{segment(found.latest_operation.id)}/{action}"
        operation = read_as(OPERATION, connection.send("POST", path).value)
        conclude(connection, found.id, operation, wanted)


def _find(connection: Connection, workspace: str, name: str) -> str:
    return read_as(DEPLOYMENT, connection.get(by_name(workspace, name))).id


def _body(
    file: Path | None, *, model: str | None, target: str | None
) -> dict[str, Any]:
    """Return what is sent: the file's content, with the options put over it."""
    body = {} if file is None else _read(file)
    if model is not None:
        body["model"] = {**_object(body, "model"), "uri": model}
    if "model" not in body:
        raise typer.BadParameter("Give --model, or a file that names one.")
    if target is not None or "target" not in body:
        kind = target or _DEFAULT_TARGET
        body["target"] = {**_object(body, "target"), "kind": kind}
    return body


def _read(file: Path) -> dict[str, Any]:
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text("utf-8")
        body = json.loads(text)
    except OSError as error:
        raise typer.BadParameter(f"{file} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise typer.BadParameter(f"{file} is not JSON: {error}.") from error
    if not isinstance(body, dict):
        raise typer.BadParameter(f"{file} does not hold a JSON object.")
    return body


def _object(body: dict[str, Any], field: str) -> dict[str, Any]:
    found = body.get(field, {})
    if not isinstance(found, dict):
        raise typer.BadParameter(f"`{field}` in the file is not an object.")
    return found
