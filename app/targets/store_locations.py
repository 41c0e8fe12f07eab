"""Where an MLflow store may lie, and where it may say that a model's files lie.

A caller names stores and a tracking server names locations; both are strangers. Each
is read once, strictly, and what is left is used in that form and in no other.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from app.core.errors import FieldProblem, InvalidError
from app.core.model_uri import (
    AliasUri,
    LatestUri,
    LoggedModelUri,
    RunModelUri,
    VersionUri,
    parse_model_uri,
)
from app.targets.failures import model_refused
from app.targets.store_azure import AzureScope, check_azure_location

_SQLITE = "sqlite:///"
_FILE = re.compile(r"file:(//)?(?=/)")
_ARTIFACT_ROUTE = "/mlflow-artifacts/artifacts"
_DEFAULT_PORTS = {"http": 80, "https": 443}
# Parsers differ about backslashes and drop control characters: neither is read.
_TEXT = re.compile(r"[^\x00-\x20\x7f-\xa0\\][^\x00-\x1f\x7f-\xa0\\]*")
_HOST = re.compile(r"[a-z0-9._-]+|[0-9a-f:.]+")

# A name for a model that means the same model for ever.
FixedUri = RunModelUri | LoggedModelUri | VersionUri


@dataclass(frozen=True, kw_only=True, slots=True)
class StoreLocation:
    """A store as it is used: `uri` for MLflow, and what a child needs to reach it.

    `directory` holds all that is the store's own, for one on this machine; `origin`
    is scheme, host and port of one that is asked by HTTP; `azure` is which workspace
    of Azure ML it is.
    """

    uri: str
    directory: Path | None = None
    origin: tuple[str, str, int] | None = None
    azure: AzureScope | None = None


def check_store_uri(
    uri: str, *, local_stores: Sequence[Path], pointer: str = "/tracking_uri"
) -> StoreLocation:
    """Return where a caller's `uri` leads; raise InvalidError naming `pointer`.

    It is http(s) without user name, query or fragment, or `sqlite:` or `file:` with
    an absolute path that lies in `local_stores` once its symlinks are followed. An
    http address is judged by its form alone: whether callers may reach it is for
    the address guard.
    """
    try:
        if uri.startswith(("http:", "https:")):
            return _read_http(uri)
        return _read_local(uri, local_stores)
    except _RefusedError as error:
        raise InvalidError(
            f"The store cannot be used: {error}.",
            remedy="Give an http(s) URL of a tracking server, or a sqlite:/// or "
            "file:/// path inside a directory of SLIPWAY_LOCAL_STORES.",
            fields=[FieldProblem(pointer=pointer, code="store_uri", detail=str(error))],
        ) from error


def check_artifact_location(
    location: str, stores: Sequence[StoreLocation]
) -> FixedUri | Path | str:
    """Return where a model's files are, as one of the stores of its workspace said.

    A FixedUri has to be looked up and checked again; a Path is a directory inside a
    store on this machine; a str is a location to be asked for by HTTP at the stores'
    own origins, or of the very workspace of Azure ML. Raises TargetError
    (`model_refused`) for any other: another host, a cloud's storage (that would use
    this machine's rights), a path that climbs.
    """
    try:
        return _read_location(location, stores)
    except _RefusedError as error:
        raise model_refused(
            f"its files lie where this store may not point: {error}",
            remedy=_remedy(stores),
        ) from error


class _RefusedError(ValueError):
    """Why a location is not used; its text becomes part of a sentence."""


def _remedy(stores: Sequence[StoreLocation]) -> str:
    if any(store.azure is not None for store in stores):
        return (
            "Register the model from a run of this workspace, or from a directory "
            "that is uploaded to it."
        )
    return (
        "Serve artifacts through the tracking server (mlflow server "
        "--serve-artifacts), or keep them inside the store's own directory."
    )


def _read_http(uri: str) -> StoreLocation:
    parts = _split(uri)
    if parts.query or parts.fragment or "?" in uri or "#" in uri:
        raise _RefusedError("a store's URL has neither query nor fragment")
    return StoreLocation(uri=uri.rstrip("/"), origin=_origin(parts))


def _read_local(uri: str, local_stores: Sequence[Path]) -> StoreLocation:
    is_sqlite = uri.startswith(_SQLITE)
    if not is_sqlite and not _FILE.match(uri):
        raise _RefusedError(
            "it is neither http(s) nor an absolute path on this machine"
        )
    path = _absolute(uri.removeprefix(_SQLITE)) if is_sqlite else _file_path(uri)
    directory = path.parent if is_sqlite else path
    if not any(_is_inside(directory, allowed.resolve()) for allowed in local_stores):
        raise _RefusedError("it is not inside a directory of SLIPWAY_LOCAL_STORES")
    clean = f"{_SQLITE}{path}" if is_sqlite else path.as_uri()
    return StoreLocation(uri=clean, directory=directory)


def _read_location(
    location: str, stores: Sequence[StoreLocation]
) -> FixedUri | Path | str:
    match _scheme(location):
        case "models" | "runs":
            return _read_model_uri(location)
        case "http" | "https":
            return _read_remote(location, _origin(_split(location)), stores)
        case "mlflow-artifacts":
            return _read_proxied(location, stores)
        case "azureml":
            return _read_azure(location, stores)
        case "file":
            return _read_path(_file_path(location), stores)
        case "":
            return _read_path(_absolute(location), stores)
        case other:
            raise _RefusedError(f"its scheme is {other}")


def _read_model_uri(location: str) -> FixedUri:
    try:
        uri = parse_model_uri(location)
    except InvalidError as error:
        raise _RefusedError("it is not a model URI") from error
    if isinstance(uri, AliasUri | LatestUri):
        raise _RefusedError("it names one model today and another tomorrow")
    return uri


def _read_remote(
    location: str, origin: tuple[str, str, int], stores: Sequence[StoreLocation]
) -> str:
    if origin not in [store.origin for store in stores]:
        raise _RefusedError("it is another host or port than the store's")
    parts = urlsplit(location)
    if parts.query or parts.fragment or _ARTIFACT_ROUTE not in parts.path:
        raise _RefusedError("it is not on the store's artifact route")
    _refuse_climbing(parts.path)
    return location


def _read_proxied(location: str, stores: Sequence[StoreLocation]) -> str:
    parts = urlsplit(location)
    origins = [store.origin for store in stores if store.origin is not None]
    if not origins:
        raise _RefusedError("only a store that is asked by HTTP serves artifacts")
    if parts.netloc:
        named = [_origin(_split(f"{one[0]}://{parts.netloc}/")) for one in origins]
        if not set(named) & set(origins):
            raise _RefusedError("it is another host or port than the store's")
    if parts.query or parts.fragment:
        raise _RefusedError("it has a query or a fragment")
    _refuse_climbing(parts.path)
    return location


def _read_azure(location: str, stores: Sequence[StoreLocation]) -> str:
    scopes = [store.azure for store in stores if store.azure is not None]
    if not scopes:
        raise _RefusedError("only a workspace of Azure ML keeps files there")
    _refuse_climbing(location)
    try:
        return check_azure_location(location, scopes[0])
    except ValueError as error:
        raise _RefusedError(str(error)) from error


def _read_path(path: Path, stores: Sequence[StoreLocation]) -> Path:
    owned = [store.directory for store in stores if store.directory is not None]
    if not any(_is_inside(path, directory) for directory in owned):
        raise _RefusedError("it is outside of the store's own directory")
    return path


def _file_path(uri: str) -> Path:
    return _absolute(unquote(_FILE.sub("", uri, count=1)))


def _absolute(text: str) -> Path:
    # MLflow decodes %xx in some of these and not in others.
    if not _TEXT.fullmatch(text) or set(text) & set("%?#"):
        raise _RefusedError("its path holds characters that are read in two ways")
    if not text.startswith("/") or text.startswith("//"):
        raise _RefusedError("its path is not absolute")
    _refuse_climbing(text)
    return Path(text).resolve()


def _is_inside(path: Path, directory: Path) -> bool:
    return path == directory or directory in path.parents


def _refuse_climbing(path: str) -> None:
    # Twice: a server may decode what a client has encoded once more.
    for text in (path, unquote(path), unquote(unquote(path))):
        if ".." in re.split(r"[/\\]", text) or "\0" in text:
            raise _RefusedError("its path climbs")


def _scheme(location: str) -> str:
    if not _TEXT.fullmatch(location):
        raise _RefusedError("it holds characters that no location has")
    try:
        return urlsplit(location).scheme
    except ValueError as error:
        raise _RefusedError("it is not a URL") from error


def _split(uri: str) -> SplitResult:
    if not _TEXT.fullmatch(uri) or " " in uri:
        raise _RefusedError("it holds characters that no URL has")
    try:
        parts = urlsplit(uri)
    except ValueError as error:
        raise _RefusedError("it is not a URL") from error
    if "@" in parts.netloc:
        raise _RefusedError("it holds a user name or a password")
    return parts


def _origin(parts: SplitResult) -> tuple[str, str, int]:
    try:
        port = _DEFAULT_PORTS[parts.scheme] if parts.port is None else parts.port
    except ValueError as error:
        raise _RefusedError("its port is not a port") from error
    if port == 0:
        raise _RefusedError("its port is not a port")
    host = (parts.hostname or "").rstrip(".")
    if not _HOST.fullmatch(host):
        raise _RefusedError("it has no plain host name")
    return parts.scheme, host, port
