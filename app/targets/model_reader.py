"""From what a store says about a model to the model's own files, each step checked."""

import errno
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from app.core.model_uri import LoggedModelUri, RunModelUri, VersionUri
from app.targets.failures import model_refused
from app.targets.model_description import (
    DESCRIPTION_FILE,
    LARGEST_DESCRIPTION,
    LARGEST_ENVIRONMENT,
    LARGEST_EXAMPLE,
    Description,
    read_description,
    read_example,
)
from app.targets.model_files import ArtifactSource, copy_file
from app.targets.store_locations import StoreLocation, check_artifact_location

# A version names a logged model, whose location is that of the files.
_MOST_HOPS = 4

# An mlflow.MlflowClient: only the child process may import it.
StoreClient = Any


class ModelReader:
    """Finds and reads the files of models in the stores of one workspace.

    `open_source` gives access to the files at a location that was checked; `scratch`
    is a directory for a few small files. Raises TargetError (`model_refused`) for
    every location and path that leads out of the stores.
    """

    def __init__(
        self,
        client: StoreClient,
        *,
        stores: Sequence[StoreLocation],
        open_source: Callable[[Path | str], ArtifactSource],
        scratch: Path,
    ) -> None:
        self._client = client
        self._stores = stores
        self._open_source = open_source
        self._scratch = scratch

    def holds_model(self, location: str) -> bool:
        """Say whether there is a model at `location`."""
        try:
            entries = self._open_source(self.follow(location)).entries("")
        except (FileNotFoundError, NotADirectoryError):
            return False
        return any(one.path == DESCRIPTION_FILE for one in entries)

    def open_version(self, name: str, version: str) -> ArtifactSource:
        """Return access to the files of a registered version."""
        location = self._client.get_model_version_download_uri(name, version)
        return self._open_source(self.follow(location))

    def follow(self, location: str) -> Path | str:
        """Return where the files are, when asked for by one name or by another."""
        for _ in range(_MOST_HOPS):
            match check_artifact_location(location, self._stores):
                case LoggedModelUri(model_id=model_id):
                    model = self._client.get_logged_model(model_id)
                    location = model.artifact_location
                case VersionUri(name=name, version=version):
                    location = self._client.get_model_version_download_uri(
                        name, version
                    )
                case RunModelUri(run_id=run_id, path=path):
                    run = self._client.get_run(run_id)
                    location = join_location(run.info.artifact_uri, path)
                case Path() | str() as found:
                    return found
        raise model_refused("its location leads to another location without end")

    def describe(self, source: ArtifactSource) -> Description:
        """Return what the model says of itself; every path in it was checked."""
        data = self._read(source, DESCRIPTION_FILE, LARGEST_DESCRIPTION)
        if data is None:
            raise model_refused("there is no MLmodel file of a readable size")
        return read_description(data.decode(errors="replace"))

    def example(self, source: ArtifactSource, path: str | None) -> str | None:
        """Return the serving example at `path`; None if there is none to be sent."""
        if path is None:
            return None
        data = self._read(source, path, LARGEST_EXAMPLE)
        return None if data is None else read_example(data)

    def environment(self, source: ArtifactSource, path: str | None) -> str | None:
        """Return the text of the conda file at `path`; None if it is not there."""
        if path is None:
            return None
        data = self._read(source, path, LARGEST_ENVIRONMENT)
        return None if data is None else data.decode(errors="replace")

    def _read(self, source: ArtifactSource, path: str, longest: int) -> bytes | None:
        """Return the file's bytes; None if it is missing or too long."""
        place = self._scratch / secrets.token_hex(8)
        try:
            folder = path.rpartition("/")[0]
            if path not in [one.path for one in source.entries(folder)]:
                return None
            copy_file(source, path, place, longest)
            return place.read_bytes()
        except OSError as error:
            if error.errno in {errno.ENOENT, errno.ENOTDIR, errno.EFBIG}:
                return None
            raise
        finally:
            place.unlink(missing_ok=True)


def join_location(location: str, path: str) -> str:
    """Return the location of what lies at `path` below `location`."""
    return f"{location.rstrip('/')}/{path}"
