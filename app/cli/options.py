"""The arguments that several client verbs have in common."""

from typing import Annotated
from urllib.parse import quote

import typer

Name = Annotated[str, typer.Argument(help="The deployment's name.")]
Workspace = Annotated[
    str, typer.Option("--workspace", "-w", help="The workspace it is in.")
]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print the service's JSON and nothing else.")
]
Wait = Annotated[
    bool, typer.Option("--wait/--no-wait", help="Follow it to its end, or only start.")
]
Seconds = Annotated[
    float | None,
    typer.Option("--timeout", min=0, help="Seconds to follow it; it goes on after."),
]


def by_name(workspace: str, name: str) -> str:
    """Return the path of a deployment by its name."""
    return f"/v1/workspaces/{segment(workspace)}/deployments/{segment(name)}"


def segment(text: str) -> str:
    """Return `text` as one segment of a path, whatever it holds."""
    return quote(text, safe="")
