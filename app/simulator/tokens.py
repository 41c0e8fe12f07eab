"""Access tokens of the simulated Azure AD: JWTs that it alone signs and checks."""

import base64
import binascii
import hashlib
import hmac
import json
from dataclasses import dataclass

from app.simulator.errors import AzureError
from app.simulator.world import World

LIFETIME_SECONDS = 3600

ARM_AUDIENCES = (
    "https://management.azure.com",
    "https://management.core.windows.net",
)
# The regional services take both: azureml-core sends them ARM's tokens.
ML_AUDIENCES = (*ARM_AUDIENCES, "https://ml.azure.com")


@dataclass(frozen=True, kw_only=True, slots=True)
class Caller:
    """Who a token was given to."""

    client_id: str
    object_id: str


class Tokens:
    """Gives tokens and checks them; a part of the world."""

    def __init__(self, world: World) -> None:
        self._world = world

    def issue(
        self,
        client_id: str,
        audience: str,
        *,
        lifetime_seconds: int = LIFETIME_SECONDS,
    ) -> str:
        """Return a token for `audience`; real seconds, for its reader has no others."""
        now = int(self._world.clock.wall())
        tenant = self._world.tenant
        claims = {
            "aud": audience,
            "iss": f"https://sts.windows.net/{tenant}/",
            "iat": now,
            "nbf": now,
            "exp": now + lifetime_seconds,
            "tid": tenant,
            "appid": client_id,
            "azp": client_id,
            "oid": object_id(client_id),
            "sub": object_id(client_id),
            "idtyp": "app",
            "ver": "1.0",
        }
        signed = f"{_encode({'alg': 'HS256', 'typ': 'JWT'})}.{_encode(claims)}"
        return f"{signed}.{self._signature(signed)}"

    def check(self, header: str, audiences: tuple[str, ...]) -> Caller:
        """Return who carries the `Authorization` header; Azure's 401 if it is wrong."""
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise _refused(
                "AuthenticationFailed",
                "Authentication failed. The 'Authorization' header is missing.",
            )
        claims = self._claims(token.strip())
        self._check_claims(claims, audiences)
        return Caller(
            client_id=str(claims.get("appid")), object_id=str(claims.get("oid"))
        )

    def _claims(self, token: str) -> dict[str, object]:
        signed, _, signature = token.rpartition(".")
        if not hmac.compare_digest(
            signature.encode(), self._signature(signed).encode()
        ):
            raise _refused(
                "InvalidAuthenticationToken",
                "The access token is invalid: it was not issued by this simulator.",
            )
        return _decode(signed.partition(".")[2])

    def _check_claims(
        self, claims: dict[str, object], audiences: tuple[str, ...]
    ) -> None:
        if claims.get("tid") != self._world.tenant:
            raise _refused(
                "InvalidAuthenticationTokenTenant",
                "The access token is from the wrong issuer 'https://sts.windows.net/"
                f"{claims.get('tid')}/'. It must match the tenant "
                f"'https://sts.windows.net/{self._world.tenant}/' associated with "
                "this subscription.",
            )
        if float(str(claims.get("exp", 0))) <= self._world.clock.wall():
            raise _refused(
                "ExpiredAuthenticationToken", "The access token expiry has passed."
            )
        if str(claims.get("aud", "")).rstrip("/") not in audiences:
            raise _refused(
                "InvalidAuthenticationTokenAudience",
                "The access token has been obtained for wrong audience or resource "
                f"'{claims.get('aud')}'. It should exactly match with one of the "
                f"allowed audiences {', '.join(repr(a) for a in audiences)}.",
            )

    def _signature(self, signed: str) -> str:
        digest = hmac.new(
            self._world.token_key, signed.encode(), hashlib.sha256
        ).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def object_id(client_id: str) -> str:
    """Return the object id of a client's service principal."""
    digest = hashlib.sha256(client_id.encode()).hexdigest()
    parts = (digest[:8], digest[8:12], f"4{digest[13:16]}", f"8{digest[17:20]}")
    return "-".join((*parts, digest[20:32]))


def _refused(code: str, message: str) -> AzureError:
    challenge = (
        'Bearer authorization_uri="https://login.microsoftonline.com/", '
        f'error="invalid_token", error_description="{message}"'
    )
    return AzureError(401, code, message, headers={"WWW-Authenticate": challenge})


def _encode(value: dict[str, object] | dict[str, str]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def _decode(text: str) -> dict[str, object]:
    try:
        value = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, binascii.Error) as error:
        raise _refused(
            "InvalidAuthenticationToken", "The access token is malformed."
        ) from error
    return value if isinstance(value, dict) else {}
