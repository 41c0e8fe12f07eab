"""`slipway`: every command, and how an error is told and which status it ends with."""

import sys

import typer
from pydantic import ValidationError
from rich.console import Console

from app.cli import client, demo, keys, processes, simulator
from app.core.errors import AppError, OperatorError

# A wrong setting or machine; 1 is for what was tried and failed.
_WRONG_SETTING = 2


def build() -> typer.Typer:
    """Return the command tree."""
    app = typer.Typer(
        name="slipway",
        help="Deploy MLflow models over HTTP: nothing lost, nothing made twice.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    processes.add_to(app)
    client.add_to(app)
    demo.add_to(app)
    simulator.add_to(app)
    app.add_typer(keys.build(), name="keys")
    return app


def main() -> None:
    """Run the command that the arguments name; end with 2 for a wrong setting."""
    try:
        build()()
    except ValidationError as error:
        _tell_settings(error)
        sys.exit(_WRONG_SETTING)
    except OperatorError as error:
        _tell(error)
        sys.exit(_WRONG_SETTING)
    except AppError as error:
        _tell(error)
        sys.exit(1)


def _tell(error: AppError) -> None:
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    console.print(f"slipway: {error.detail}", markup=False)
    console.print(f"         {error.advice}", markup=False)


def _tell_settings(error: ValidationError) -> None:
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    for problem in error.errors(include_input=False, include_url=False):
        name = "SLIPWAY_" + "_".join(str(part) for part in problem["loc"][:1]).upper()
        console.print(f"slipway: {name}: {problem['msg']}", markup=False)
