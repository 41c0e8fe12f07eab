"""Azure ML's artifacts: files by origin, container and path, kept in the blob store."""

import mimetypes
from dataclasses import dataclass
from datetime import datetime

from app.simulator.blobs import BlobStore
from app.simulator.errors import AzureError
from app.simulator.world import SimulatedWorkspace

# The blob container that Azure ML keeps its artifacts in.
_CONTAINER = "azureml"


@dataclass(frozen=True, kw_only=True, slots=True)
class Artifact:
    """One file as the artifact service knows it, whether its bytes came or not."""

    origin: str
    container: str
    path: str
    created_at: datetime

    @property
    def id(self) -> str:
        """Origin, container and path; also the blob's name."""
        return f"{self.origin}/{self.container}/{self.path}"


class ArtifactStore:
    """The artifacts of one workspace; a part of it.

    Runs keep theirs here too: origin `ExperimentRun`, container `dcid.<run id>`.
    """

    def __init__(self, workspace: SimulatedWorkspace) -> None:
        self._clock = workspace.world.clock
        self._blobs = workspace.part(BlobStore)
        self._artifacts: dict[str, Artifact] = {}

    def create(self, origin: str, container: str, path: str) -> Artifact:
        """Return the artifact, made if it was not there; it holds no bytes yet."""
        made = Artifact(
            origin=origin,
            container=container,
            path=path.lstrip("/"),
            created_at=self._clock.now(),
        )
        return self._artifacts.setdefault(made.id, made)

    def write(self, origin: str, container: str, path: str, content: bytes) -> Artifact:
        """Create or replace an artifact together with its bytes."""
        artifact = self.create(origin, container, path)
        guessed = mimetypes.guess_type(path)[0] or ""
        self._blobs.put(_CONTAINER, artifact.id, content, content_type=guessed)
        return artifact

    def get(self, origin: str, container: str, path: str) -> Artifact:
        """Return an artifact; the service's 404 without one."""
        found = self._artifacts.get(f"{origin}/{container}/{path.lstrip('/')}")
        if found is None:
            raise AzureError(
                404,
                "UserError",
                f"Can't find artifact {origin}/{container}/{path}",
                details=(("ArtifactNotFound", path),),
            )
        return found

    def read(self, artifact: Artifact) -> bytes:
        """Return an artifact's bytes; storage's 404 before they were uploaded."""
        return self._blobs.get(_CONTAINER, artifact.id).content

    def has_content(self, artifact: Artifact) -> bool:
        """Tell whether the bytes have come."""
        return self._blobs.find(_CONTAINER, artifact.id) is not None

    def size(self, artifact: Artifact) -> int:
        """Return how many bytes have come."""
        blob = self._blobs.find(_CONTAINER, artifact.id)
        return len(blob.content) if blob else 0

    def paths(self, origin: str, container: str) -> list[str]:
        """Return the sorted paths of a container's artifacts."""
        return [artifact.path for artifact in self.list(origin, container)]

    def list(self, origin: str, container: str, prefix: str = "") -> list[Artifact]:
        """Return the artifacts of a container at or under the path `prefix`."""
        start = f"{origin}/{container}/"
        folder = prefix.strip("/")
        return [
            artifact
            for key, artifact in sorted(self._artifacts.items())
            if key.startswith(start) and _lies_in(artifact.path, folder)
        ]

    def uri(self, artifact: Artifact, permissions: str = "r") -> str:
        """Return the signed address of the artifact's blob."""
        return self._blobs.uri(_CONTAINER, artifact.id, permissions)

    def delete(self, artifact: Artifact) -> None:
        """Forget an artifact and its bytes."""
        self._artifacts.pop(artifact.id, None)
        if self.has_content(artifact):
            self._blobs.delete(_CONTAINER, artifact.id)


def _lies_in(path: str, folder: str) -> bool:
    return not folder or path == folder or path.startswith(f"{folder}/")
