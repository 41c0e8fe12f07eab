"""The program that asks azureml-core; run confined, by `sdk_child` alone.

Run as `python -m app.targets.azureml_v1.sdk_program <descriptor> <work directory>`. It
imports first, so that a spare one is ready at once, then answers one request after the
other, all of them for one workspace, until the pipe ends. What goes through the pipe
is described in `sdk_wire`.
"""

import json
import logging
import os
import sys
import threading
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from typing import IO, Any

from app.core.failure import TargetError
from app.targets.azure_cloud import HOSTS
from app.targets.azureml_v1.permit import Exchange, LeaseRanOutError, Permit
from app.targets.azureml_v1.sdk_operations import SdkOperations
from app.targets.azureml_v1.sdk_wire import LONGEST_LINE, Outcome
from app.targets.azureml_v1.upload_retries import switch_off_retries
from app.targets.removal import remove_tree
from app.targets.store_wire import encode, encode_error

_logger = logging.getLogger(__name__)

_LONGEST_MESSAGE = 16 * 1024


def main() -> None:
    """Answer requests until the service closes the pipe."""
    descriptor, work = int(sys.argv[1]), Path(sys.argv[2])
    permit = Permit()
    permit.install()
    switch_off_retries()
    inbox: SimpleQueue[dict[str, Any]] = SimpleQueue()
    requests = os.fdopen(descriptor, "rb")
    answers = os.fdopen(os.dup(descriptor), "wb", buffering=0)
    answers.write(encode({"result": {}}))
    threading.Thread(
        target=_listen, args=(requests, permit, inbox), daemon=True
    ).start()
    operations = SdkOperations(permit)
    while True:
        request = inbox.get()
        _begin(permit, request)
        try:
            answer = encode({"result": _answer(operations, request, work)})
        except TargetError as error:
            answer = encode_error(error)
        except Exception as error:
            # Whatever azureml-core raises says little; the last exchange says more.
            _logger.info("sdk_operation_failed", exc_info=True)
            answer = encode({"result": _failed(permit, error)})
        _clear(work)
        answers.write(answer)


def _listen(
    requests: IO[bytes], permit: Permit, inbox: SimpleQueue[dict[str, Any]]
) -> None:
    while line := requests.readline(LONGEST_LINE):
        message = json.loads(line)
        if "operation" in message:
            inbox.put(message)
        else:
            permit.renew(lease_until=message["lease_until"], token=message["token"])
    # Nobody is left who could be answered: what is under way ends here.
    os._exit(0)


def _begin(permit: Permit, request: dict[str, Any]) -> None:
    permit.begin(HOSTS[request["workspace"]["cloud"]].owns)
    permit.renew(lease_until=request["lease_until"], token=request["token"])


def _answer(
    operations: SdkOperations, request: dict[str, Any], work: Path
) -> dict[str, Any]:
    operations.bind(request["workspace"])
    place = work / "request"
    place.mkdir(mode=0o700)
    os.chdir(place)
    match request["operation"]:
        case "deploy":
            return {"outcome": Outcome.DONE, **operations.deploy(request["arguments"])}
        case "update":
            return {"outcome": Outcome.DONE, **operations.update(request["arguments"])}
        case str(name) if name.startswith("cluster_"):
            done = operations.change_cluster(name, request["arguments"])
            return {"outcome": Outcome.DONE, **done}
        case unknown:
            raise ValueError(f"no operation {unknown!r}")


def _failed(permit: Permit, error: Exception) -> dict[str, Any]:
    """Return what happened, whatever azureml-core made of it."""
    last = permit.last or Exchange(method="", url="")
    if permit.ran_out or isinstance(error, LeaseRanOutError):
        outcome = Outcome.LEASE_RAN_OUT
    elif last.method and last.status is None:
        outcome = Outcome.NO_ANSWER
    elif last.body or (last.status or 0) >= 400:  # noqa: PLR2004 - as HTTP defines it
        outcome = Outcome.REFUSED
    else:
        outcome = Outcome.NOT_DONE
    return {
        "outcome": outcome,
        "method": last.method,
        "url": last.url.partition("?")[0],
        "status": last.status,
        "headers": dict(last.headers),
        "body": last.body,
        "message": f"{type(error).__name__}: {error}"[:_LONGEST_MESSAGE],
    }


def _clear(work: Path) -> None:
    """Remove what the request left: azureml-core removes nothing that it makes."""
    os.chdir(work)
    for name in ("request", "tmp"):
        _close_files_in(work / name)
        remove_tree(work / name)
    (work / "tmp").mkdir(mode=0o700)


def _close_files_in(directory: Path) -> None:
    """Close what `tempfile.mkstemp` opened for azureml-core, which never does."""
    for descriptor in list(Path("/proc/self/fd").iterdir()):
        # The one that the listing itself was read from is gone by now.
        with suppress(FileNotFoundError):
            if descriptor.readlink().is_relative_to(directory):
                os.close(int(descriptor.name))


if __name__ == "__main__":
    main()
