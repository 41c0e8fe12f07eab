"""One child that asks an MLflow store, as the service sees it: a call with a deadline.

Whoever calls has the child to itself. A child that missed a deadline, or whose caller
was canceled, may be in the middle of anything: it is killed and never asked again.
"""

import asyncio
import json
import socket
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from app.core.failure import FailureCode, TargetError
from app.core.lease import Lease
from app.targets import children
from app.targets.child_log import ChildLog
from app.targets.failures import store_unavailable
from app.targets.isolation import mlflow_policy
from app.targets.removal import remove_tree
from app.targets.store_access import AzureAccess
from app.targets.store_locations import StoreLocation
from app.targets.store_wire import LONGEST_LINE, decode_answer, encode
from app.targets.tokens import AccessToken

Stores = tuple[StoreLocation, ...]
"""A workspace's tracking store and, where it is another, its registry."""

_Window = tuple[float, float | None]
"""How many seconds an answer may take, and when the lease ends that a write needs."""

_Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]

_IMPORT_SECONDS = 90.0
_BIND_SECONDS = 60.0
_QUOTED_LINES = 5
_PROGRAM = (sys.executable, "-m", "app.targets.mlflow_child")

# No retries (they are the runner's, after a look), nothing sent to anybody but the
# store, no thread that would escape the rights given up after the import.
_ENVIRONMENT = {
    "GIT_PYTHON_REFRESH": "quiet",
    "MLFLOW_ALLOW_FILE_STORE": "true",
    "MLFLOW_ALLOW_HTTP_REDIRECTS": "false",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_ENABLE_ASYNC_LOGGING": "false",
    "MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD": "false",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}


class StoreChild:
    """A running child; `stores` says which it is for, None for a spare one.

    `access` is how whoever has it now reaches a workspace of Azure ML: each question
    goes out with a token of its own, which is all that the child learns of it.
    """

    def __init__(
        self, child: children.Child, *, channel: socket.socket, work: Path
    ) -> None:
        self._child = child
        self._channel = channel
        self._log = ChildLog(work / "child.log")
        self._streams: _Streams | None = None
        self.work = work
        self.stores: Stores | None = None
        self.access: AzureAccess | None = None
        self._is_whole = True

    @property
    def pid(self) -> int:
        """Return its process id."""
        return self._child.pid

    @property
    def is_usable(self) -> bool:
        """Whether it can be asked (again)."""
        return self._is_whole and self._child.exit is None

    async def bind(self, stores: Stores) -> None:
        """Tell a spare child which stores it is for, for the rest of its life."""
        fields = [asdict(store) for store in stores]
        described = json.loads(json.dumps(fields, default=str))
        network = {} if self.access is None else self.access.network.fields()
        arguments = {"stores": described, "network": network}
        await self._exchange("bind", arguments, (_BIND_SECONDS, None), token=None)
        self.stores = stores

    async def ask(
        self, operation: str, arguments: Mapping[str, Any], *, seconds: float
    ) -> dict[str, Any]:
        """Return the answer to a question. Raises TargetError."""
        return await self._authorized(operation, arguments, lambda: (seconds, None))

    async def change(
        self, operation: str, arguments: Mapping[str, Any], *, lease: Lease
    ) -> dict[str, Any]:
        """Make one change, within what is left of `lease`.

        Raises LeaseLostError before it or TargetError; after a transient one the
        change may have been made or not.
        """

        def window() -> _Window:
            lease.check()
            # In this order: a pause between the lines makes the deadline no later.
            asked_at = time.monotonic()
            left = lease.remaining_seconds()
            return left, asked_at + left

        return await self._authorized(operation, arguments, window)

    async def end(self) -> None:
        """End the process and remove its files."""
        self._is_whole = False
        # Before the wait, which may be canceled: nothing else would close them.
        self._child.kill()
        if self._streams is not None:
            self._streams[1].close()
        self._channel.close()
        await self._child.wait()
        await asyncio.to_thread(remove_tree, self.work)

    async def _authorized(
        self,
        operation: str,
        arguments: Mapping[str, Any],
        window: Callable[[], _Window],
    ) -> dict[str, Any]:
        token = await self._token()
        try:
            return await self._exchange(operation, arguments, window(), token=token)
        except TargetError as error:
            is_token_refused = error.failure.code is FailureCode.CREDENTIAL_FAILED
            if self.access is None or token is None or not is_token_refused:
                raise
            await self.access.forget(token)
        # Nothing was done for the refused one, so a change is not made twice.
        token = await self._token()
        return await self._exchange(operation, arguments, window(), token=token)

    async def _token(self) -> AccessToken | None:
        return None if self.access is None else await self.access.token()

    async def _exchange(
        self,
        operation: str,
        arguments: Mapping[str, Any],
        window: _Window,
        *,
        token: AccessToken | None,
    ) -> dict[str, Any]:
        seconds, lease_until = window
        request = {
            "operation": operation,
            "arguments": dict(arguments),
            "lease_until": lease_until,
            "token": None if token is None else asdict(token),
        }
        # Stays so if anything interrupts what follows.
        self._is_whole = False
        try:
            streams = await self._start()
            async with asyncio.timeout(seconds):
                answer = await self._talk(streams, request)
        except TimeoutError as error:
            self._child.kill()
            cause = f"no answer to {operation!r} within {seconds:.0f} seconds"
            raise store_unavailable(cause) from error
        except asyncio.CancelledError:
            self._child.kill()
            raise
        return await self._read(answer)

    async def _read(self, answer: bytes) -> dict[str, Any]:
        try:
            result = decode_answer(answer)
        except TargetError:
            self._is_whole = True
            raise
        except ValueError as error:
            raise await self._broken() from error
        self._is_whole = True
        return result

    async def _start(self) -> _Streams:
        """Return the connection once the child has imported what it needs."""
        if self._streams is None:
            self._streams = await asyncio.open_connection(
                sock=self._channel, limit=LONGEST_LINE
            )
            async with asyncio.timeout(_IMPORT_SECONDS):
                await self._talk(self._streams, None)
        return self._streams

    async def _talk(self, streams: _Streams, request: dict[str, Any] | None) -> bytes:
        reader, writer = streams
        try:
            if request is not None:
                writer.write(encode(request))
            line = await reader.readline()
        except (OSError, ValueError) as error:
            raise await self._broken() from error
        if not line.endswith(b"\n"):
            raise await self._broken()
        return line

    async def _broken(self) -> Exception:
        self._child.kill()
        ended = await self._child.wait()
        lines = self._log.tail(_QUOTED_LINES)
        said = " | ".join(line for line in lines if line.strip())
        cause = f"the process that asks it is gone ({ended.describe()}): {said}"
        return store_unavailable(cause)


def launch(
    work: Path, allowed: Sequence[Path], *, program: Sequence[str] = _PROGRAM
) -> StoreChild:
    """Start a spare child with the new directory `work`; return at once.

    Until it is bound it may write to every store in `allowed`. It holds 250 MB, and
    takes 6 to 9 seconds to import MLflow. Call it from the event loop's thread.
    """
    (work / "tmp").mkdir(parents=True, mode=0o700)
    ours, theirs = socket.socketpair()
    ours.settimeout(0)
    policy = mlflow_policy(work=work, stores=tuple(allowed), environment=_ENVIRONMENT)
    descriptor = theirs.fileno()
    try:
        child = children.start(
            [*program, str(descriptor), str(work)],
            policy,
            log=ChildLog(work / "child.log"),
            pass_fds=[descriptor],
        )
    except OSError:
        ours.close()
        raise
    finally:
        theirs.close()
    return StoreChild(child, channel=ours, work=work)
