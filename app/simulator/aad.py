"""Azure AD: sign-in of clients and managed identities, and what comes before."""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from app.simulator.errors import AzureError
from app.simulator.faults import FaultKind
from app.simulator.tokens import LIFETIME_SECONDS, Tokens
from app.simulator.world import CLIENT_ID, World

KINDS = (
    FaultKind(
        name="sign-in-refused",
        about="Azure AD refuses the caller: `AADSTS7000215`, a wrong secret.",
        where=("client_id",),
    ),
    FaultKind(
        name="short-token",
        about="The token given ends early, so that its holder meets an expired one.",
        where=("client_id",),
        parameters={"seconds": "real seconds; 1 by default"},
    ),
)

APP_SERVICE_PATH = "/msi/token"

_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_AUTHORITIES = ("login.microsoftonline.com", "login.windows.net", "login.microsoft.com")


def routes(world: World) -> list[BaseRoute]:
    """Return the routes of the login hosts."""
    directory = _Directory(world)
    return [
        Route("/{tenant}/discovery/instance", directory.instances),
        Route("/{tenant}/oauth2/v2.0/token", directory.token, methods=["POST"]),
        Route("/{tenant}/oauth2/token", directory.token, methods=["POST"]),
        Route("/{tenant}/.well-known/openid-configuration", directory.configuration),
        Route(
            "/{tenant}/v2.0/.well-known/openid-configuration", directory.configuration
        ),
        Route("/{tenant}/discovery/v2.0/keys", directory.keys),
        Route("/{tenant}/discovery/keys", directory.keys),
    ]


def managed_identity_routes(world: World) -> list[BaseRoute]:
    """Return the routes of a machine's own metadata service."""
    directory = _Directory(world)
    return [Route("/metadata/identity/oauth2/token", directory.machine_token)]


def app_service_routes(world: World) -> list[BaseRoute]:
    """Return the route of an App Service identity: for `IDENTITY_ENDPOINT`."""
    return [Route(APP_SERVICE_PATH, _Directory(world).app_service_token)]


@dataclass(frozen=True, slots=True)
class _Directory:
    world: World

    async def instances(self, _: Request) -> Response:
        tenant = self.world.tenant
        return JSONResponse(
            {
                "tenant_discovery_endpoint": (
                    f"https://{_AUTHORITIES[0]}/{tenant}/v2.0/"
                    ".well-known/openid-configuration"
                ),
                "api-version": "1.1",
                "metadata": [
                    {
                        "preferred_network": _AUTHORITIES[0],
                        "preferred_cache": "login.windows.net",
                        "aliases": list(_AUTHORITIES),
                    }
                ],
            }
        )

    async def configuration(self, request: Request) -> Response:
        tenant = self._tenant(request)
        base = f"https://{_AUTHORITIES[0]}/{tenant}"
        return JSONResponse(
            {
                "issuer": f"{base}/v2.0",
                "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
                "token_endpoint": f"{base}/oauth2/v2.0/token",
                "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
                "jwks_uri": f"{base}/discovery/v2.0/keys",
                "token_endpoint_auth_methods_supported": [
                    "client_secret_post",
                    "private_key_jwt",
                ],
                "response_types_supported": ["code", "token"],
                "subject_types_supported": ["pairwise"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "tenant_region_scope": None,
                "cloud_instance_name": "microsoftonline.com",
            }
        )

    async def keys(self, _: Request) -> Response:
        return JSONResponse({"keys": []})

    async def token(self, request: Request) -> Response:
        self._tenant(request)
        form = dict(parse_qsl((await request.body()).decode("utf-8", "replace")))
        client_id = form.get("client_id", "")
        if form.get("grant_type", "") != "client_credentials":
            raise _refused(
                400,
                "unsupported_grant_type",
                "70003",
                "The app requested an unsupported grant type.",
            )
        self._check_client(client_id, form)
        audience = form.get("scope", "").split(" ")[0].removesuffix("/.default")
        return JSONResponse(self._granted(client_id, audience or _resource(form)))

    async def machine_token(self, request: Request) -> Response:
        if request.headers.get("metadata", "").lower() != "true":
            raise _refused(
                400, "invalid_request", "0", "Required metadata header not specified"
            )
        return self._identity_token(request.query_params)

    async def app_service_token(self, request: Request) -> Response:
        if not request.headers.get("x-identity-header"):
            raise _refused(
                401, "invalid_request", "0", "The X-IDENTITY-HEADER is missing."
            )
        return self._identity_token(request.query_params)

    def _identity_token(self, query: Mapping[str, str]) -> Response:
        resource = query.get("resource", "")
        if not resource:
            raise _refused(400, "invalid_request", "900144", "resource is missing")
        granted = self._granted(query.get("client_id", CLIENT_ID), resource)
        expires_on = int(self.world.clock.wall()) + LIFETIME_SECONDS
        return JSONResponse(
            {
                **granted,
                "expires_in": str(granted["expires_in"]),
                "expires_on": str(expires_on),
                "resource": resource,
            }
        )

    def _granted(self, client_id: str, audience: str) -> dict[str, object]:
        short = self.world.faults.take("short-token", client_id=client_id)
        lifetime = int(short.number("seconds", 1)) if short else LIFETIME_SECONDS
        token = self.world.part(Tokens).issue(
            client_id, audience, lifetime_seconds=lifetime
        )
        return {
            "token_type": "Bearer",
            # What the client is told stays long: it is Azure that finds it expired.
            "expires_in": LIFETIME_SECONDS,
            "ext_expires_in": LIFETIME_SECONDS,
            "access_token": token,
        }

    def _check_client(self, client_id: str, form: Mapping[str, str]) -> None:
        secret = self.world.clients.get(client_id)
        if secret is None:
            raise _refused(
                400,
                "unauthorized_client",
                "700016",
                f"Application with identifier '{client_id}' was not found in the "
                f"directory '{self.world.tenant}'.",
            )
        given = form.get("client_secret", "")
        is_right = hmac.compare_digest(given.encode(), secret.encode()) or (
            # The key or federation behind an assertion is nothing we could know.
            form.get("client_assertion_type", "") == _ASSERTION
            and bool(form.get("client_assertion", ""))
        )
        refused = self.world.faults.take("sign-in-refused", client_id=client_id)
        if refused or not is_right:
            raise _refused(
                401,
                "invalid_client",
                "7000215",
                "Invalid client secret provided. Ensure the secret being sent in the "
                "request is the client secret value, not the client secret ID, for a "
                f"secret added to app '{client_id}'.",
            )

    def _tenant(self, request: Request) -> str:
        tenant = str(request.path_params["tenant"])
        if tenant.lower() not in {self.world.tenant, "common", "organizations"}:
            raise _refused(
                400,
                "invalid_tenant",
                "90002",
                f"Tenant '{tenant}' not found. Check to make sure you have the "
                "correct tenant ID and are signing into the correct cloud.",
            )
        return tenant


def _resource(form: Mapping[str, str]) -> str:
    resource = form.get("resource", "")
    if not resource:
        raise _refused(
            400,
            "invalid_request",
            "900144",
            "The request body must contain the following parameter: 'scope'.",
        )
    return resource


def _refused(status: int, error: str, number: str, text: str) -> AzureError:
    message = f"AADSTS{number}: {text}" if number != "0" else text
    return AzureError(status, error, message, details=[(number, "")])
