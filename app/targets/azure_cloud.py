"""The hosts of Azure's clouds: where to sign in, and where a token may go."""

from collections.abc import Mapping
from dataclasses import dataclass

from app.core.workspace import Cloud


@dataclass(frozen=True, kw_only=True, slots=True)
class CloudHosts:
    """One cloud, as azure.mgmt.core and azureml-core know it.

    `services` are the ends of the hosts of Azure ML's regional services, `vaults` the
    end of every host of Key Vault.
    """

    authority: str
    management: str
    services: tuple[str, ...]
    vaults: str

    @property
    def management_url(self) -> str:
        """Return the base URL of Azure Resource Manager."""
        return f"https://{self.management}"

    @property
    def management_scope(self) -> str:
        """Return the scope of a token for Azure Resource Manager."""
        return f"https://{self.management}/.default"

    @property
    def vault_scope(self) -> str:
        """Return the scope of a token for Key Vault."""
        return f"https://{self.vaults}/.default"

    def owns(self, host: str) -> bool:
        """Say whether a token for Azure Resource Manager may be sent to `host`."""
        name = host.lower()
        return name == self.management or any(
            name.endswith(f".{suffix}") for suffix in self.services
        )


HOSTS: Mapping[Cloud, CloudHosts] = {
    "AzureCloud": CloudHosts(
        authority="login.microsoftonline.com",
        management="management.azure.com",
        services=(
            "api.azureml.ms",
            "modelmanagement.azureml.net",
            "experiments.azureml.net",
        ),
        vaults="vault.azure.net",
    ),
    "AzureChinaCloud": CloudHosts(
        authority="login.chinacloudapi.cn",
        management="management.chinacloudapi.cn",
        services=(
            "api.ml.azure.cn",
            "modelmanagement.ml.azure.cn",
            "experiments.ml.azure.cn",
        ),
        vaults="vault.azure.cn",
    ),
    "AzureUSGovernment": CloudHosts(
        authority="login.microsoftonline.us",
        management="management.usgovcloudapi.net",
        services=(
            "api.ml.azure.us",
            "modelmanagement.ml.azure.us",
            "experiments.ml.azure.us",
        ),
        vaults="vault.usgovcloudapi.net",
    ),
}
