"""How a verb that starts an operation ends: what it prints, and its exit status."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import ParamSpec

import typer
from pydantic import TypeAdapter

from app.cli.answers import Deployment, Operation
from app.cli.connection import Connection, RefusedError, read_as
from app.cli.following import until_ended
from app.cli.plain import as_json, one_line
from app.cli.progress import console_for, tell_failure, telling

DEPLOYMENT = TypeAdapter(Deployment)
OPERATION = TypeAdapter(Operation)

_Arguments = ParamSpec("_Arguments")


class ExitStatus(IntEnum):
    """What a pipeline can tell apart; the same for every verb."""

    SUCCEEDED = 0
    FAILED = 1
    REFUSED = 2  # wrong usage, key or address: nothing was started
    CANCELED = 3
    TIMED_OUT = 4
    INTERRUPTED = 130  # as a shell has it for Ctrl-C


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What the caller of a verb wants to see; `end` is the state that is its success.

    `seconds` bounds how long it is followed, None for as long as it takes.
    """

    wait: bool
    seconds: float | None
    as_json: bool
    end: str = "succeeded"


def told(command: Callable[_Arguments, None]) -> Callable[_Arguments, None]:
    """Return `command`, which tells a refusal of the service and ends by it."""

    @functools.wraps(command)
    def telling_command(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except RefusedError as error:
            _tell_refusal(error)
            status = ExitStatus.FAILED if error.is_server_fault else ExitStatus.REFUSED
            raise typer.Exit(status) from error

    return telling_command


def conclude(
    connection: Connection, deployment_id: str, operation: Operation, wanted: Wanted
) -> None:
    """Follow `operation` to its end if that is wanted, and end as it does."""
    if wanted.wait and not operation.has_ended:
        operation = follow(connection, deployment_id, operation, wanted=wanted)
    value = connection.get(f"/v1/deployments/{deployment_id}")
    if wanted.as_json:
        typer.echo(as_json(value))
    else:
        _tell(read_as(DEPLOYMENT, value), operation, wanted)
    end_as(operation, wanted)


def follow(
    connection: Connection,
    subject_id: str,
    operation: Operation,
    *,
    wanted: Wanted,
    among: str = "deployments",
) -> Operation:
    """Return `operation` once it has ended, its events told on the way.

    Ends the process with the status for it if that takes longer than is wanted.
    """
    console = console_for(error=True)
    try:
        with telling(console) as log:
            ended = until_ended(
                connection,
                subject_id,
                operation,
                tell=log.tell,
                seconds=wanted.seconds,
                among=among,
            )
    except KeyboardInterrupt:
        console.print(f"Not followed any further; {_goes_on(operation)}")
        raise typer.Exit(ExitStatus.INTERRUPTED) from None
    if ended is None:
        console.print(
            f"It has not ended after {wanted.seconds:g} s; {_goes_on(operation)}"
        )
        raise typer.Exit(ExitStatus.TIMED_OUT)
    return ended


def tell_error(operation: Operation, wanted: Wanted) -> None:
    """Tell in full why an operation did not come to the end that was wanted."""
    if operation.error is not None and operation.state != wanted.end:
        tell_failure(
            console_for(error=True),
            operation.error,
            kind=one_line(operation.kind),
            state=operation.state,
        )


def end_as(operation: Operation, wanted: Wanted) -> None:
    """End the process with the status of an operation that has ended."""
    if operation.has_ended and (status := _status(operation, wanted)):
        raise typer.Exit(status)


def _goes_on(operation: Operation) -> str:
    return (
        f"the {operation.kind} goes on at the service as {operation.id}. "
        "`slipway events` follows it again, `slipway cancel` stops it."
    )


def _tell(deployment: Deployment, operation: Operation, wanted: Wanted) -> None:
    kind, state = one_line(operation.kind), one_line(operation.state)
    tell_error(operation, wanted)
    name = f"{one_line(deployment.workspace)}/{one_line(deployment.name)}"
    line = f"{name} is {one_line(deployment.state)}"
    if deployment.serving_revision is not None:
        model = deployment.model.uri if deployment.model else "its model"
        line += f": revision {deployment.serving_revision} serves {one_line(model)}"
    console = console_for()
    console.print(f"{line}; {kind} {one_line(operation.id)} {state}")
    if deployment.scoring_uri:
        console.print(one_line(deployment.scoring_uri))


def _status(operation: Operation, wanted: Wanted) -> ExitStatus:
    if operation.state == wanted.end:
        return ExitStatus.SUCCEEDED
    if operation.state == "canceled":
        return ExitStatus.CANCELED
    if operation.error is not None and operation.error.code == "deadline_exceeded":
        return ExitStatus.TIMED_OUT
    return ExitStatus.FAILED


def _tell_refusal(error: RefusedError) -> None:
    console, problem = console_for(error=True), error.problem
    # A remedy is for people; without one, the bare status is all there is to say.
    lines = [
        str(error),
        problem.remedy or f"The service answered with status {error.status}.",
        *(f"{field.pointer}: {field.detail}" for field in problem.errors),
        *(f"{name}: {link}" for name, link in problem.links.items()),
    ]
    if problem.request_id:
        lines.append(f"request {problem.request_id}, code {problem.code}")
    prefix = "slipway: "
    for line in lines:
        console.print(f"{prefix}{one_line(line)}")
        prefix = " " * len(prefix)
