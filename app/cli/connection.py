"""Slipway over HTTP: where it is, with which key, and how its refusals are told."""

import contextlib
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any, TypeVar

import httpx
from pydantic import Field, SecretStr, TypeAdapter, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.cli.answers import Problem
from app.core.errors import OperatorError
from app.settings import default_data_dir

PROBLEM_TYPE = "application/problem+json"

_CONNECT_SECONDS = 5.0
# Longer than any answer that Slipway holds back: 60 s for Prefer: wait and scoring.
_READ_SECONDS = 75.0
_SERVER_FAULT = 500

_Shape = TypeVar("_Shape")
_PROBLEM = TypeAdapter(Problem)


class ClientSettings(BaseSettings):
    """Which service the client verbs call, and with which key."""

    model_config = SettingsConfigDict(
        env_prefix="SLIPWAY_", extra="ignore", frozen=True, hide_input_in_errors=True
    )

    url: str = Field("http://127.0.0.1:8080", description="Where Slipway answers.")
    api_key: SecretStr = Field(
        SecretStr(""), description="The key; default: DATA_DIR/admin.key."
    )
    data_dir: Path = Field(default_factory=default_data_dir)

    def key(self) -> str:
        """Return the key to send, or raise OperatorError saying how to give one.

        The admin key of this machine's own service goes to this machine alone.
        """
        if given := self.api_key.get_secret_value():
            return given
        kept = self.data_dir.expanduser() / "admin.key"
        if not _is_loopback(self.url):
            raise OperatorError(
                f"There is no key for {self.url}.",
                remedy="Set SLIPWAY_API_KEY; `slipway keys create` there makes one.",
            )
        try:
            return kept.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise OperatorError(
                f"There is no API key: {kept} cannot be read ({error.strerror}).",
                remedy="Set SLIPWAY_API_KEY, or SLIPWAY_DATA_DIR as `slipway serve` "
                "has it, which keeps its admin key there.",
            ) from error


class RefusedError(Exception):
    """The service answered with an error; it is its own, so not in our tree of them."""

    def __init__(self, status: int, problem: Problem) -> None:
        super().__init__(problem.detail or f"HTTP status {status}")
        self.status = status
        self.problem = problem

    @property
    def is_server_fault(self) -> bool:
        """Whether the request was right and the service could not answer it."""
        return self.status >= _SERVER_FAULT


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """What came back: the status, and the JSON if there was any."""

    status: int
    value: Any


class Connection:
    """Slipway at one address; a refusal is a RefusedError, silence an OperatorError."""

    def __init__(self, client: httpx.Client) -> None:
        self.client = client

    def get(self, path: str, *, params: Mapping[str, Any] | None = None) -> Any:  # noqa: ANN401
        """Return the JSON at `path`."""
        return self.send("GET", path, params=params).value

    def send(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,  # noqa: ANN401
        params: Mapping[str, Any] | None = None,
    ) -> Reply:
        """Send JSON and return the answer; a POST is made once, however often sent."""
        headers = {"Idempotency-Key": str(uuid.uuid4())} if method == "POST" else {}
        with _reaching(self.client):
            response = self.client.request(
                method, path, json=body, params=params, headers=headers
            )
        check(response)
        return Reply(status=response.status_code, value=_json(response))

    def score(self, path: str, body: bytes) -> httpx.Response:
        """Return what a model answered, whatever it is; raises if Slipway refused."""
        with _reaching(self.client):
            response = self.client.post(
                path, content=body, headers={"Content-Type": "application/json"}
            )
        if _is_problem(response):
            check(response)
        return response


@contextlib.contextmanager
def connected(settings: ClientSettings) -> Iterator[Connection]:
    """Yield a connection to the service of `settings`."""
    try:
        # As DESIGN.md has it, proxies of the environment are for Azure's traffic.
        client = httpx.Client(
            base_url=settings.url,
            headers={"Authorization": f"Bearer {settings.key()}"},
            timeout=httpx.Timeout(_READ_SECONDS, connect=_CONNECT_SECONDS),
            trust_env=False,
        )
    except (httpx.InvalidURL, UnicodeEncodeError) as error:
        raise OperatorError(
            "SLIPWAY_URL or the key holds what no request may hold.",
            remedy="Set SLIPWAY_URL like http://127.0.0.1:8080.",
        ) from error
    with client:
        yield Connection(client)


def read_as(shape: TypeAdapter[_Shape], value: object) -> _Shape:
    """Return `value` as `shape`, or raise OperatorError: that was not Slipway."""
    try:
        return shape.validate_python(value)
    except ValidationError as error:
        raise _not_slipway() from error


def check(response: httpx.Response) -> None:
    """Raise RefusedError unless the answer, which must be read, is a good one."""
    if not response.is_error:
        return
    problem = Problem()
    if _is_problem(response):
        with contextlib.suppress(ValidationError, OperatorError):
            problem = _PROBLEM.validate_python(_json(response))
    raise RefusedError(response.status_code, problem)


def unreachable(url: httpx.URL, error: Exception) -> OperatorError:
    """Return the error that says that nobody answers at `url`, and what helps."""
    reason = str(error) or type(error).__name__
    if isinstance(error, httpx.UnsupportedProtocol):
        remedy = "Set SLIPWAY_URL like http://127.0.0.1:8080."
    else:
        remedy = "Start it with `slipway serve`, or set SLIPWAY_URL to where it runs."
    return OperatorError(f"Slipway does not answer at {url}: {reason}.", remedy=remedy)


def _is_problem(response: httpx.Response) -> bool:
    kind: str = response.headers.get("content-type", "")
    return kind.partition(";")[0].strip().lower() == PROBLEM_TYPE


def _json(response: httpx.Response) -> Any:  # noqa: ANN401
    if not response.content:
        return None
    try:
        return response.json()
    except ValueError as error:
        raise _not_slipway() from error


def _not_slipway() -> OperatorError:
    return OperatorError(
        "What answers there does not speak as Slipway does.",
        remedy="Check SLIPWAY_URL, and that service and client are of one release.",
    )


@contextlib.contextmanager
def _reaching(client: httpx.Client) -> Iterator[None]:
    try:
        yield
    except httpx.TransportError as error:
        raise unreachable(client.base_url, error) from error


def _is_loopback(url: str) -> bool:
    try:
        host = httpx.URL(url).host
        return host == "localhost" or ip_address(host).is_loopback
    except (httpx.InvalidURL, ValueError):
        return False
