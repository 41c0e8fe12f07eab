"""The HTTP client for Azure: the proxy and the CA of the environment, and no cookies.

One client serves every credential of a worker, so nothing of an answer may be sent
along with the next call.
"""

import os
import ssl
from collections.abc import Mapping
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path

import httpx

from app.core.errors import OperatorError

_CONNECTIONS = 40
_KEPT = 20
_CONNECT_SECONDS = 10.0


def azure_client(
    environ: Mapping[str, str] = os.environ,
    *,
    transport: httpx.AsyncBaseTransport | None = None,
) -> httpx.AsyncClient:
    """Return a client that honours HTTPS_PROXY, NO_PROXY and the CA variables.

    It follows no redirect: a token goes where its caller looked, and nowhere else.
    `transport` takes the network's place.
    """
    return httpx.AsyncClient(
        transport=transport,
        verify=trusted(environ),
        timeout=httpx.Timeout(None, connect=_CONNECT_SECONDS),
        limits=httpx.Limits(
            max_connections=_CONNECTIONS, max_keepalive_connections=_KEPT
        ),
        cookies=CookieJar(policy=DefaultCookiePolicy(allowed_domains=[])),
        headers={"accept": "application/json", "user-agent": "slipway"},
        follow_redirects=False,
    )


def trusted(environ: Mapping[str, str]) -> ssl.SSLContext:
    """Return whom to trust: REQUESTS_CA_BUNDLE as the SDKs do, else SSL_CERT_FILE.

    Raises OperatorError if it holds no certificates.
    """
    bundle = environ.get("REQUESTS_CA_BUNDLE") or environ.get("SSL_CERT_FILE")
    if not bundle:
        return httpx.create_ssl_context()
    try:
        if Path(bundle).is_dir():
            return ssl.create_default_context(capath=bundle)
        return ssl.create_default_context(cafile=bundle)
    except OSError as error:  # ssl.SSLError is one
        raise OperatorError(
            f"The CA bundle {bundle} cannot be read.",
            remedy="Correct REQUESTS_CA_BUNDLE or SSL_CERT_FILE and start again.",
        ) from error
