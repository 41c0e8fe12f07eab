"""What serves a really registered model: a port that the program's owner fills."""

from pathlib import Path
from typing import Protocol


class ModelRunner(Protocol):
    """Serves MLflow models. Loading one runs its code, so confining it is its task."""

    async def start(self, model: Path) -> str:
        """Serve the model in a directory; return the base of its loopback URL.

        The directory stays until `stop`. Raises `ModelRunnerError` where the model
        cannot be served.
        """
        ...

    async def stop(self, url: str) -> None:
        """End what `start` began; returns when it is gone."""
        ...


class ModelRunnerError(Exception):
    """A model could not be served; the text says why."""
