"""The client verbs that change nothing: get, list, events, logs and score."""

import contextlib
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import TypeAdapter
from rich.table import Table

from app.cli.answers import Deployment, Event, Page
from app.cli.connection import ClientSettings, Connection, connected, read_as
from app.cli.following import stream
from app.cli.options import AsJson, Name, Workspace, by_name, segment
from app.cli.outcome import DEPLOYMENT, ExitStatus, told
from app.cli.plain import as_json as json_text
from app.cli.plain import one_line, plain
from app.cli.progress import console_for, tell_failure

_PAGE = TypeAdapter(Page)
_EVENT = TypeAdapter(Event)
_LARGEST_PAGE = 200
_DELETED = "deployment.deleted"


def add_to(app: typer.Typer) -> None:
    """Add the verbs to `app`."""
    for name, verb in (
        ("get", get),
        ("list", list_),
        ("events", events),
        ("logs", logs),
        ("score", score),
    ):
        app.command(name)(told(verb))


def get(name: Name, *, workspace: Workspace, as_json: AsJson = False) -> None:
    """Show a deployment: what serves, what is wanted, and why it is not so yet."""
    with connected(ClientSettings()) as connection:
        value = connection.get(by_name(workspace, name))
    if as_json:
        typer.echo(json_text(value))
        return
    found = read_as(DEPLOYMENT, value)
    operation = found.latest_operation
    console = console_for()
    for label, text in (
        ("deployment", f"{found.workspace}/{found.name} ({found.id})"),
        ("state", found.state),
        ("serving", _serving(found)),
        ("model", found.model.uri if found.model else ""),
        ("wanted", f"revision {found.wanted_revision}"),
        ("scored at", found.scoring_uri or ""),
        ("operation", f"{operation.kind} {operation.state} ({operation.id})"),
        ("phase", "" if operation.has_ended else operation.phase or "waiting"),
    ):
        if text:
            console.print(f"{label:<12} {one_line(text)}")
    for condition in found.conditions:
        line = f"{condition.type} {condition.status} {condition.reason}"
        console.print(f"{'condition':<12} {one_line(f'{line} {condition.message}')}")
    if operation.error is not None:
        kind, state = operation.kind, operation.state
        tell_failure(console, operation.error, kind=kind, state=state)


def list_(
    *,
    workspace: Annotated[
        str | None, typer.Option("--workspace", "-w", help="Only of this workspace.")
    ] = None,
    state: Annotated[str | None, typer.Option(help="Only in this state.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the deployments of the key's project."""
    filters = {"workspace": workspace, "state": state}
    with connected(ClientSettings()) as connection:
        items = all_items(connection, "/v1/deployments", filters)
    if as_json:
        typer.echo(json_text(items))
        return
    table = Table("workspace", "name", "target", "state", "serving", "changed")
    # A name in two lines, or that ends in an ellipsis, could not be copied.
    table.columns[1].no_wrap = True
    table.columns[1].overflow = "ignore"
    for item in items:
        found = read_as(DEPLOYMENT, item)
        target = str(found.spec.get("target", {}).get("kind", ""))
        changed = f"{found.updated_at:%Y-%m-%d %H:%M:%S}"
        serving = _serving(found)
        cells = (found.workspace, found.name, target, found.state, serving, changed)
        table.add_row(*(one_line(cell) for cell in cells))
    console_for().print(table)


def events(
    name: Name,
    *,
    workspace: Workspace,
    follow: Annotated[
        bool, typer.Option(help="Go on until Ctrl-C, or until it is deleted.")
    ] = True,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one event as JSON on each line.")
    ] = False,
) -> None:
    """Show what happened to a deployment, and what happens now."""
    with connected(ClientSettings()) as connection:
        found = read_as(DEPLOYMENT, connection.get(by_name(workspace, name)))
        path = f"/v1/deployments/{segment(found.id)}"
        if not follow:
            for item in all_items(connection, f"{path}/events", {}):
                _tell(read_as(_EVENT, item), item, as_json=as_json)
            return
        with contextlib.suppress(KeyboardInterrupt):
            for told_ in stream(connection, found.id):
                if told_ is not None:
                    _tell(told_.event, told_.raw, as_json=as_json)
                    if told_.event.type == _DELETED:
                        return


def logs(
    name: Name,
    *,
    workspace: Workspace,
    source: Annotated[str, typer.Option(help="model or operation.")] = "model",
    revision: Annotated[
        int | None, typer.Option(min=1, help="Default: the one that serves.")
    ] = None,
    tail: Annotated[int, typer.Option(min=1, help="How many lines.")] = 100,
) -> None:
    """Print the last log lines of a revision, also of one that failed."""
    params = {"source": source, "tail": tail, "revision": revision}
    with connected(ClientSettings()) as connection:
        found = read_as(DEPLOYMENT, connection.get(by_name(workspace, name)))
        value = connection.get(
            f"/v1/deployments/{segment(found.id)}/logs", params=_given(params)
        )
    for line in value["lines"]:
        typer.echo(one_line(str(line)))


def score(
    name: Name,
    *,
    workspace: Workspace,
    file: Annotated[
        Path, typer.Option("--input", "-i", help="JSON to score; `-` is stdin.")
    ] = Path("-"),
) -> None:
    """Score an input and print what the model answers."""
    try:
        body = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise typer.BadParameter(f"{file} cannot be read: {error.strerror}.") from error
    with connected(ClientSettings()) as connection:
        found = read_as(DEPLOYMENT, connection.get(by_name(workspace, name)))
        answer = connection.score(
            f"/v1/deployments/{segment(found.id)}/invocations", body
        )
    typer.echo(plain(answer.content.decode("utf-8", errors="replace")))
    if answer.is_error:
        console_for(error=True).print(f"The model answered {answer.status_code}.")
        raise typer.Exit(ExitStatus.FAILED)


def all_items(
    connection: Connection, path: str, filters: dict[str, Any]
) -> list[dict[str, Any]]:
    """Return every item of a list, page after page."""
    params = _given({**filters, "limit": _LARGEST_PAGE})
    items: list[dict[str, Any]] = []
    while True:
        page = read_as(_PAGE, connection.get(path, params=params))
        items += page.items
        if page.next_cursor is None:
            return items
        params["cursor"] = page.next_cursor


def _given(params: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in params.items() if value is not None}


def _serving(found: Deployment) -> str:
    if found.serving_revision is None:
        return "nothing"
    reaches = {True: "", False: ", not answering", None: ", not known to answer"}
    return f"revision {found.serving_revision}{reaches[found.serving]}"


def _tell(event: Event, raw: Any, *, as_json: bool) -> None:  # noqa: ANN401
    if as_json:
        typer.echo(json_text(raw, indent=None))
        return
    operation, detail = event.data.operation, one_line(event.data.detail or "")
    phase = ""
    if operation is not None and not operation.has_ended:
        phase = one_line(operation.phase or "")
    # A phase's detail only names it again.
    words = "" if detail == phase else detail
    place = f"{event.timestamp:%H:%M:%S} {event.sequence:>4}"
    typer.echo(f"{place}  {one_line(event.type):<26} {phase:<10} {words}".rstrip())
    if operation is not None and operation.error is not None and operation.has_ended:
        tell_failure(
            console_for(), operation.error, kind=operation.kind, state=operation.state
        )
