"""The program that asks one MLflow store; the only one of ours that imports mlflow.

Run confined as `python -m app.targets.mlflow_child <descriptor> <work directory>`. It
imports first, so that a spare one is ready at once; then it is told its store, gives
up the rights to all others, and answers one request after the other until the pipe
ends. See `app.targets.store_wire` for what goes through it.
"""

import errno
import json
import logging
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import mlflow
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

from app.core.failure import TargetError
from app.targets.confined import restrict
from app.targets.failures import model_not_found, store_unavailable
from app.targets.isolation import mlflow_rules
from app.targets.mlflow_azure import Azure, AzureSource, enter, sign_in
from app.targets.mlflow_refusals import TRANSIENT_STATUSES
from app.targets.model_files import ArtifactSource, Entry, LocalSource
from app.targets.model_reader import ModelReader
from app.targets.store_azure import AzureScope
from app.targets.store_locations import StoreLocation
from app.targets.store_operations import WRITES, StoreOperations
from app.targets.store_wire import LONGEST_LINE, encode, encode_error

_logger = logging.getLogger(__name__)

_TIMEOUT = "MLFLOW_HTTP_REQUEST_TIMEOUT"  # seconds, read by MLflow at each request
_READ_TIMEOUT_SECONDS = 30
# A write that has less time than this left is not worth starting.
_SHORTEST_WRITE_SECONDS = 1.0

_NOT_FOUND = 404
_ABSENT = frozenset({"NOT_FOUND", "RESOURCE_DOES_NOT_EXIST"})
_MISSING = _ABSENT | {"ENDPOINT_NOT_FOUND", "INVALID_PARAMETER_VALUE"}
# MLflow reports this as an internal error; only an operator's hand mends it.
_OLD_SCHEMA = "out-of-date database schema"


def main() -> None:
    """Answer requests until the service closes the pipe."""
    descriptor, work = int(sys.argv[1]), Path(sys.argv[2])
    with (
        os.fdopen(descriptor, "rb") as requests,
        os.fdopen(os.dup(descriptor), "wb", buffering=0) as answers,
    ):
        answers.write(encode({"result": {"mlflow": mlflow.__version__}}))
        bound: _Bound | None = None
        while line := requests.readline(LONGEST_LINE):
            request = json.loads(line)
            try:
                if bound is None:
                    bound = _bind(request["arguments"], work)
                    answers.write(encode({"result": {}}))
                else:
                    answers.write(_answer(bound, request))
            except TargetError as error:
                answers.write(encode_error(error))
            except Exception as error:
                _logger.info("store_operation_failed", exc_info=True)
                is_write = request["operation"] in WRITES
                azure = None if bound is None else bound.azure
                answers.write(encode_error(_translate(error, azure, is_write=is_write)))


@dataclass(frozen=True, kw_only=True, slots=True)
class _Bound:
    """The store that this process is for; `azure` where it is a workspace of Azure."""

    operations: StoreOperations
    azure: Azure | None


def _bind(arguments: dict[str, Any], work: Path) -> _Bound:
    stores = [_location(fields) for fields in arguments["stores"]]
    directories = {one.directory for one in stores if one.directory is not None}
    ports = {one.origin[2] for one in stores if one.origin is not None}
    network = arguments["network"]
    ports.update(network.get("ports", ()))
    restrict(mlflow_rules(work, tuple(directories)), ports)
    _require_databases(stores)
    azure = _enter_azure(stores[0], network, work)
    tracking_uri, registry_uri = stores[0].uri, stores[-1].uri
    # MLflow looks at the process-wide ones in places, whatever a client was given.
    mlflow.set_tracking_uri(tracking_uri)
    mlflow.set_registry_uri(registry_uri)
    client = MlflowClient(tracking_uri=tracking_uri, registry_uri=registry_uri)
    reader = ModelReader(
        client, stores=stores, open_source=_open_source, scratch=work / "tmp"
    )
    operations = StoreOperations(
        client,
        reader,
        has_name=partial(_has_name, client),
        has_logged_models=azure is None,
    )
    return _Bound(operations=operations, azure=azure)


def _enter_azure(
    store: StoreLocation, network: dict[str, Any], work: Path
) -> Azure | None:
    if store.azure is None:
        return None
    enter(store.azure, network, work)
    return sign_in(store.azure)


def _has_name(client: MlflowClient, name: str) -> bool:
    try:
        client.get_registered_model(name)
    except MlflowException as error:
        if error.error_code not in _ABSENT:
            raise
        return False
    return True


def _require_databases(stores: list[StoreLocation]) -> None:
    # MLflow would make an empty one, and then say that the model does not exist.
    for store in stores:
        path = store.uri.removeprefix("sqlite:///")
        if path != store.uri and not Path(path).is_file():
            raise store_unavailable(f"there is no database at {path}", transient=False)


def _location(fields: dict[str, Any]) -> StoreLocation:
    directory, origin, azure = fields["directory"], fields["origin"], fields["azure"]
    return StoreLocation(
        uri=fields["uri"],
        directory=None if directory is None else Path(directory),
        origin=None if origin is None else (origin[0], origin[1], origin[2]),
        azure=None if azure is None else AzureScope(**azure),
    )


def _answer(bound: _Bound, request: dict[str, Any]) -> bytes:
    operation = request["operation"]
    os.environ[_TIMEOUT] = str(_timeout(operation, request["lease_until"]))
    if bound.azure is not None:
        bound.azure.begin(request["token"])
    method: Callable[..., dict[str, Any]] = getattr(bound.operations, operation)
    return encode({"result": method(**request["arguments"])})


def _timeout(operation: str, lease_until: float | None) -> int:
    """Return how long one HTTP request may take; TargetError if it may not start."""
    if operation not in WRITES:
        return _READ_TIMEOUT_SECONDS
    left = 0.0 if lease_until is None else lease_until - time.monotonic()
    if left < _SHORTEST_WRITE_SECONDS:
        raise store_unavailable("there was no time left in which to write")
    return int(left)


def _translate(error: Exception, azure: Azure | None, *, is_write: bool) -> TargetError:
    code = error.error_code if isinstance(error, MlflowException) else None
    refusal = None if azure is None else azure.refusal(error, code=code)
    if refusal is not None:
        return refusal
    cause = f"{type(error).__name__}: {error}"
    match error:
        case MlflowException():
            if code in _MISSING and not is_write:
                return model_not_found(error.message.removeprefix(f"{code}: "))
            status = error.get_http_status_code()  # type: ignore[no-untyped-call]
            is_old = _OLD_SCHEMA in str(error)
            is_transient = status in TRANSIENT_STATUSES and not is_old
            return store_unavailable(cause, transient=is_transient)
        case OSError():
            status = _http_status(error)
            is_transient = status is None or status in TRANSIENT_STATUSES
            return store_unavailable(cause, transient=is_transient)
        case _:
            is_transient = type(error).__module__.startswith("sqlalchemy.")
            return store_unavailable(cause, transient=is_transient)


def _http_status(error: OSError) -> int | None:
    """Return the status behind an error of requests, which are all OSErrors."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    return status if isinstance(status, int) else None


class _RemoteSource:
    """Files that are asked for by HTTP at an origin which was checked."""

    def __init__(self, location: str) -> None:
        self._repository = get_artifact_repository(location)

    def entries(self, path: str) -> list[Entry]:
        try:
            found = self._repository.list_artifacts(path or None)
        except OSError as error:
            if _http_status(error) == _NOT_FOUND:
                raise FileNotFoundError(errno.ENOENT, "not found", path) from error
            raise
        return [Entry(path=one.path, is_directory=one.is_dir) for one in found]

    def copy(self, path: str, to: Path) -> None:
        # The public method lists the folder once more and writes from other threads,
        # where neither the size limit nor the deadline of this request would hold.
        fetch: Callable[[str, str], None] = self._repository._download_file  # noqa: SLF001
        fetch(path, str(to))


def _open_source(location: Path | str) -> ArtifactSource:
    if isinstance(location, Path):
        return LocalSource(location)
    if location.startswith("azureml:"):
        return AzureSource(location)
    return _RemoteSource(location)


if __name__ == "__main__":
    main()
