"""Azure's plugin for MLflow, inside the child that asks one workspace's store.

The plugin would sign in by itself, in the end with a browser; it is given a credential
that knows nothing but the token which came with the request at hand.
"""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from azure.core.credentials import AccessToken
from azureml.mlflow._common._cloud.cloud import KNOWN_CLOUDS  # type: ignore[import-untyped]
from azureml.mlflow._internal.service_context_loader import _AzureMLServiceContextLoader  # type: ignore[import-untyped]
from azureml.mlflow._internal.utils import ServiceContext  # type: ignore[import-untyped]
from azureml.mlflow._store.artifact.artifact_repo import AzureMLflowArtifactRepository  # type: ignore[import-untyped]

from app.core.failure import TargetError
from app.targets.failures import store_unavailable
from app.targets.mlflow_refusals import LastAnswer, Refusals
from app.targets.model_files import Entry
from app.targets.store_azure import AzureScope

_CLOUD = "AZUREML_CURRENT_CLOUD"
_CA_FILE = "REQUESTS_CA_BUNDLE"
_READ_RETRIES = 2


class HandedCredential:
    """A credential of azure-core's kind: the token that the service handed over."""

    def __init__(self) -> None:
        self._token = AccessToken("", 0)

    def hand(self, token: Mapping[str, Any]) -> None:
        """Use this token from now on."""
        self._token = AccessToken(token["value"], int(token["expires_at"]))

    @property
    def has_expired(self) -> bool:
        """Whether its time is over, so that a refusal says nothing about rights."""
        return self._token.expires_on <= time.time()

    def get_token(self, *_scopes: str, **_options: object) -> AccessToken:
        """Return it, whatever it is wanted for."""
        return self._token


def enter(scope: AzureScope, network: Mapping[str, Any], work: Path) -> None:
    """Make this process, for the rest of its life, one that asks Azure."""
    os.environ.update(network["variables"])
    if network["ca_bundle"] is not None:
        file = work / "ca.pem"
        file.write_text(network["ca_bundle"], encoding="ascii", errors="replace")
        os.environ[_CA_FILE] = str(file)
    # Without it the plugin asks Azure for the names of all clouds, for each file.
    os.environ[_CLOUD] = scope.cloud


def sign_in(scope: AzureScope) -> "Azure":
    """Return the plugin, which asks this workspace with what it is handed."""
    credential = HandedCredential()
    context = ServiceContext(
        host_url=f"https://{scope.host}",
        subscription_id=scope.subscription_id,
        resource_group_name=scope.resource_group,
        workspace_name=scope.workspace_name,
        auth=credential,
        cloud=KNOWN_CLOUDS[scope.cloud],
    )
    _AzureMLServiceContextLoader.add_service_context(scope.tracking_uri, context)
    last = LastAnswer()
    last.watch()
    return Azure(credential=credential, refusals=Refusals(last=last))


class _Artifacts(Protocol):
    path: str | None

    def get_file_paths(self) -> Any: ...  # noqa: ANN401
    def download_artifact(self, remote_path: str, local_path: str) -> None: ...


class AzureSource:
    """The files at a location of the workspace that was checked."""

    def __init__(self, location: str) -> None:
        repository = AzureMLflowArtifactRepository(location)
        self._artifacts: _Artifacts = repository.artifacts
        # Ten tries, the usual number, take longer than a question may.
        policy = repository.artifacts._client._config.retry_policy  # noqa: SLF001
        policy.total_retries = _READ_RETRIES
        self._root = (self._artifacts.path or "").strip("/")
        self._paths: list[str] | None = None

    def entries(self, path: str) -> list[Entry]:
        """Return what is directly in the folder `path`."""
        folder = f"{path}/" if path else ""
        found: dict[str, Entry] = {}
        for one in self._below_root():
            if one.startswith(folder):
                name, slash, _ = one.removeprefix(folder).partition("/")
                place = folder + name
                found[place] = Entry(path=place, is_directory=bool(slash))
        return list(found.values())

    def copy(self, path: str, to: Path) -> None:
        """Write the file `path` to the new file `to`."""
        # The plugin's own walk over folders takes `model2/x` for a file of `model`.
        self._artifacts.download_artifact(f"{self._root}/{path}", str(to))
        if not to.is_file():
            # That is what the plugin makes of an address outside of Azure's storage.
            raise store_unavailable(
                f"the workspace's file {path!r} is not at Azure's storage",
                transient=False,
            )

    def _below_root(self) -> list[str]:
        # One listing tells all: the service has no notion of a folder.
        if self._paths is None:
            start = f"{self._root}/"
            listed = [str(one) for one in self._artifacts.get_file_paths()]
            self._paths = [
                one.removeprefix(start) for one in listed if one.startswith(start)
            ]
        return self._paths


@dataclass(frozen=True, kw_only=True, slots=True)
class Azure:
    """The plugin at work for one workspace."""

    credential: HandedCredential
    refusals: Refusals

    def begin(self, token: Mapping[str, Any]) -> None:
        """Ask with `token` from now on; nothing of it was answered yet."""
        self.credential.hand(token)
        self.refusals.last.clear()

    def refusal(self, error: Exception, *, code: str | None) -> TargetError | None:
        """Return what Azure itself refused, None for an error of another kind.

        `code` is MLflow's word for it, None for an error that is not MLflow's.
        """
        return self.refusals.read(
            error, code=code, is_old_token=self.credential.has_expired
        )
