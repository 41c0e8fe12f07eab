"""A workspace of Azure ML as a model store: its address, and where its files may lie.

Azure's plugin for MLflow takes what it is given on trust: a location in a registry of
Azure ML makes it sign in with whatever it finds on the machine. So a location is read
here first, strictly, and must be of a form that names the workspace's own files.
"""

import re
from dataclasses import dataclass

from app.core.workspace import AzureMlWorkspace, Cloud
from app.targets.azure_cloud import HOSTS

HTTPS_PORT = 443

_RUN = re.compile(
    r"azureml://(?P<host>[a-z0-9.-]+)/mlflow/v[0-9]\.0(?P<workspace>/subscriptions"
    r"/[^/]+/resourceGroups/[^/]+/providers/Microsoft\.MachineLearningServices"
    r"/workspaces/[^/]+)/experiments/[^/]+/runs/(?P<run>[A-Za-z0-9_.-]+)"
    r"/artifacts/(?P<path>.+)",
    re.IGNORECASE,
)
_ASSET = re.compile(
    r"azureml://artifacts/(?P<files>(?P<origin>[A-Za-z]+)/[A-Za-z0-9_.-]+/.+)"
)
# What the plugin looks for anywhere in a location, before all else.
_REGISTRY = "/registries/"


@dataclass(frozen=True, kw_only=True, slots=True)
class AzureScope:
    """Which workspace of Azure ML a store is, and which credential opens it."""

    subscription_id: str
    resource_group: str
    workspace_name: str
    host: str
    cloud: Cloud
    credential: str

    @property
    def arm_id(self) -> str:
        """Return the workspace's ARM id, as the plugin writes it."""
        return (
            f"/subscriptions/{self.subscription_id}"
            f"/resourceGroups/{self.resource_group}"
            "/providers/Microsoft.MachineLearningServices"
            f"/workspaces/{self.workspace_name}"
        )

    @property
    def tracking_uri(self) -> str:
        """Return the address by which MLflow finds the plugin and the workspace."""
        return f"azureml://{self.host}/mlflow/v2.0{self.arm_id}"


def scope_of(identity: AzureMlWorkspace) -> AzureScope:
    """Return how the workspace is reached: at the host of its region and cloud."""
    return AzureScope(
        subscription_id=identity.subscription_id,
        resource_group=identity.resource_group,
        workspace_name=identity.workspace_name,
        host=f"{identity.region}.{HOSTS[identity.cloud].services[0]}",
        cloud=identity.cloud,
        credential=identity.credential,
    )


def check_azure_location(location: str, scope: AzureScope) -> str:
    """Return `location` if it names files of the workspace `scope`.

    Raises ValueError, whose text says why it does not and is part of a sentence.
    """
    if set(location) & set("?#%"):
        raise ValueError("it holds characters that are read in two ways")
    if _REGISTRY in location.lower():
        raise ValueError("it is in a registry and not in the workspace")
    if set(location.removeprefix("azureml://").split("/")) & {"", ".", ".."}:
        raise ValueError("its path climbs")
    if run := _RUN.fullmatch(location):
        if run["workspace"].lower() != scope.arm_id.lower():
            raise ValueError("it is in another workspace")
        return location
    if _ASSET.fullmatch(location):
        return location
    raise ValueError("it is neither a run's artifact nor an uploaded one")


def files_of(location: str) -> str:
    """Return what two locations of the same files have in common.

    A workspace may tell a run's files by the run or by where they are stored.
    """
    if run := _RUN.fullmatch(location):
        return f"ExperimentRun/dcid.{run['run']}/{run['path']}".rstrip("/")
    if asset := _ASSET.fullmatch(location):
        return asset["files"].rstrip("/")
    return location
