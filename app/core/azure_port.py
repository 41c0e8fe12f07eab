"""The port to an Azure ML workspace for whoever only looks at it."""

from typing import Protocol

from app.core.azure_view import AzureServices, CheckResult, QuotaUsage
from app.core.workspace import Workspace


class AzureInspector(Protocol):
    """Looks at a workspace, changes nothing, and answers in seconds."""

    async def check(self, workspace: Workspace) -> tuple[CheckResult, ...]:
        """Return one result for each CheckName, in its order; never raises for Azure.

        A workspace of another kind than `azureml` has every check skipped.
        """
        ...

    async def quota(self, workspace: Workspace) -> tuple[QuotaUsage, ...]:
        """Return the usages of the workspace's region, the fullest first.

        Raises TargetError; NotSupportedError for another kind of workspace.
        """
        ...

    async def services(
        self, workspace: Workspace, *, installation: str
    ) -> AzureServices:
        """Return what serves there, and by its mark which of it is `installation`'s.

        One that cannot be read is told as such beside the others. Raises TargetError
        if nothing could be listed; NotSupportedError for another kind of workspace.
        """
        ...
