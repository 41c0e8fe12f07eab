"""How a workspace of Azure ML is reached from here: its tokens, and the way there."""

from dataclasses import dataclass

from app.core.workspace import AzureMlWorkspace
from app.targets.azure_network import AzureNetwork
from app.targets.tokens import AccessToken, RevocableTokens


@dataclass(frozen=True, kw_only=True, slots=True)
class AzureAccess:
    """One workspace with what opens it; a child is told a token at each question."""

    workspace: AzureMlWorkspace
    tokens: RevocableTokens
    network: AzureNetwork

    async def token(self) -> AccessToken:
        """Return a token that is good for some minutes. Raises TargetError."""
        return await self.tokens.token(self.workspace)

    async def forget(self, rejected: AccessToken) -> None:
        """Let the next token be another one than `rejected`."""
        await self.tokens.forget(self.workspace, rejected)
