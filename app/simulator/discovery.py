"""Where Azure's services are: the cloud's metadata, and a workspace's own document."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from app.simulator.world import World

# AzureCloud as `GET /metadata/endpoints?api-version=2019-05-01` tells it.
_CLOUD = {
    "name": "AzureCloud",
    "portal": "https://portal.azure.com",
    "authentication": {
        "loginEndpoint": "https://login.microsoftonline.com/",
        "audiences": [
            "https://management.core.windows.net/",
            "https://management.azure.com/",
        ],
        "tenant": "common",
        "identityProvider": "AAD",
    },
    "media": "https://rest.media.azure.net",
    "graphAudience": "https://graph.windows.net/",
    "graph": "https://graph.windows.net/",
    "suffixes": {
        "azureDataLakeStoreFileSystem": "azuredatalakestore.net",
        "acrLoginServer": "azurecr.io",
        "sqlServerHostname": "database.windows.net",
        "azureDataLakeAnalyticsCatalogAndJob": "azuredatalakeanalytics.net",
        "keyVaultDns": "vault.azure.net",
        "storage": "core.windows.net",
        "azureFrontDoorEndpointSuffix": "azurefd.net",
    },
    "batch": "https://batch.core.windows.net/",
    "resourceManager": "https://management.azure.com/",
    "vmImageAliasDoc": "https://raw.githubusercontent.com/Azure/azure-rest-api-specs"
    "/master/arm-compute/quickstart-templates/aliases.json",
    "activeDirectoryDataLake": "https://datalake.azure.net/",
    "sqlManagement": "https://management.core.windows.net:8443/",
    "gallery": "https://gallery.azure.com/",
}


def metadata_routes(_: World) -> list[BaseRoute]:
    """Return the routes of the cloud's own metadata; nobody signs in for it."""

    async def endpoints(_: Request) -> Response:
        return JSONResponse([_CLOUD])

    return [Route("/metadata/endpoints", endpoints)]


def routes(_: World) -> list[BaseRoute]:
    """Return the routes of service discovery; nobody signs in for it."""

    async def services(request: Request) -> Response:
        region = (request.url.hostname or "").rsplit(".", 3)[0].rpartition(".")[2]
        return JSONResponse(service_urls(region))

    return [
        Route("/discovery", services),
        Route("/discovery/workspaces/{workspace_id}", services),
    ]


def discovery_url(region: str) -> str:
    """Return the address that a workspace names as its `discoveryUrl`."""
    return f"https://{region}.api.azureml.ms/discovery"


def service_urls(region: str) -> dict[str, str]:
    """Return the base URL of each service of a region, by the SDKs' own names."""
    experiments = f"https://{region}.experiments.azureml.net"
    api = f"https://{region}.api.azureml.ms"
    return {
        "api": api,
        "catalog": "https://catalog.cortanaanalytics.com",
        "discovery": f"{api}/discovery",
        "experimentation": experiments,
        "gallery": "https://gallery.cortanaintelligence.com/project",
        "history": experiments,
        "hyperdrive": experiments,
        "labeling": experiments,
        "modelmanagement": f"https://{region}.modelmanagement.azureml.net",
        "pipelines": f"https://{region}.aether.ms",
        "studio": "https://ml.azure.com",
    }
