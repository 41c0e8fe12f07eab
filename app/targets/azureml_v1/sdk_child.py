"""One child that asks azureml-core, as the service sees it: for one workspace only.

Whoever calls has the child to itself. A child that missed a deadline, or whose caller
was canceled, may be in the middle of anything: it is killed and never asked again.
"""

import asyncio
import os
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from app.core.failure import TargetError
from app.core.lease import Lease
from app.core.workspace import AzureMlWorkspace
from app.targets import children
from app.targets.azure_network import network_of
from app.targets.azureml_v1.failures import child_unavailable
from app.targets.azureml_v1.sdk_wire import LONGEST_LINE, SdkAnswer, read_answer
from app.targets.child_log import ChildLog
from app.targets.isolation import Policy, mlflow_policy
from app.targets.removal import remove_tree
from app.targets.store_wire import encode
from app.targets.tokens import TokenSource

_Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]

_IMPORT_SECONDS = 90.0
# Uploading a script and a dozen short requests; nobody waits for Azure in there.
_LONGEST_CHANGE_SECONDS = 300.0
_RENEWAL_SECONDS = 1.0
_QUOTED_LINES = 5
_PROGRAM = (sys.executable, "-m", "app.targets.azureml_v1.sdk_program")

# No retries (they are the runner's, after a look), nothing sent to anybody but Azure.
_ENVIRONMENT = {
    "AZUREML_CURRENT_CLOUD": "AzureCloud",
    "AZUREML_DEFAULT_RETRIES": "0",
    "AZUREML_DEFAULT_BACKOFF": "1",
    "AZUREML_DEFAULT_500_BACKOFF": "1",
    "AZUREML_DEFAULT_503_BACKOFF": "1",
    "AZUREML_LOG_DEPRECATION_WARNING_ENABLED": "False",
    "AZURE_CORE_COLLECT_TELEMETRY": "false",
    "PYTHONWARNINGS": "ignore",
}
_CERTIFICATES = ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")


class SdkChild:
    """A running child; `bound_to` says for which workspace, None for a spare one."""

    def __init__(
        self, child: children.Child, *, channel: socket.socket, work: Path
    ) -> None:
        self._child = child
        self._channel = channel
        self._log = ChildLog(work / "child.log")
        self._streams: _Streams | None = None
        self._work = work
        self._is_whole = True
        self.bound_to: AzureMlWorkspace | None = None

    @property
    def pid(self) -> int:
        """Return its process id."""
        return self._child.pid

    @property
    def is_usable(self) -> bool:
        """Whether it can be asked (again)."""
        return self._is_whole and self._child.exit is None

    async def change(
        self,
        operation: str,
        arguments: Mapping[str, Any],
        *,
        lease: Lease,
        tokens: TokenSource,
    ) -> SdkAnswer:
        """Make one change while `lease` lasts, however often it is renewed.

        Raises LeaseLostError before it, or TargetError; after that, and with any
        outcome but DONE, the change may have been made or not.
        """
        if self.bound_to is None:
            raise ValueError("a child is bound to a workspace before it is asked")
        # Stays so if anything interrupts what follows.
        self._is_whole = False
        try:
            streams = await self._start()
            terms = _Terms(lease, tokens, self.bound_to)
            request = {
                "operation": operation,
                "workspace": asdict(self.bound_to),
                "arguments": dict(arguments),
                **await terms.first(),
            }
            async with asyncio.timeout(_LONGEST_CHANGE_SECONDS):
                line = await self._talk(streams, request, terms)
        except TimeoutError as error:
            self._child.kill()
            raise child_unavailable("it took longer than any change takes") from error
        except BaseException:
            self._child.kill()
            raise
        try:
            answer = read_answer(line)
        finally:
            self._is_whole = True
        return answer

    async def end(self) -> None:
        """End the process and remove its files."""
        self._is_whole = False
        # Before the wait, which may be canceled: nothing else would close them.
        self._child.kill()
        if self._streams is not None:
            self._streams[1].close()
        self._channel.close()
        await self._child.wait()
        await asyncio.to_thread(remove_tree, self._work)

    async def _start(self) -> _Streams:
        """Return the connection once the child has imported what it needs."""
        if self._streams is None:
            self._streams = await asyncio.open_connection(
                sock=self._channel, limit=LONGEST_LINE
            )
            async with asyncio.timeout(_IMPORT_SECONDS):
                await self._line(self._streams[0])
        return self._streams

    async def _talk(
        self, streams: _Streams, request: dict[str, Any], terms: "_Terms"
    ) -> bytes:
        reader, writer = streams
        writer.write(encode(request))
        answer = asyncio.create_task(self._line(reader))
        try:
            while not (await asyncio.wait({answer}, timeout=_RENEWAL_SECONDS))[0]:
                if (renewal := await terms.renewed()) is not None:
                    writer.write(encode(renewal))
            return answer.result()
        finally:
            answer.cancel()

    async def _line(self, reader: asyncio.StreamReader) -> bytes:
        try:
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
        return child_unavailable(f"it is gone ({ended.describe()}): {said}")


class _Terms:
    """The lease and the token of a change that is under way, as the child is told."""

    def __init__(
        self, lease: Lease, tokens: TokenSource, workspace: AzureMlWorkspace
    ) -> None:
        self._lease = lease
        self._tokens = tokens
        self._workspace = workspace
        self._told = {"token": "", "lease_until": 0.0}

    async def first(self) -> dict[str, Any]:
        """Return both. Raises LeaseLostError or TargetError."""
        token = await self._tokens.token(self._workspace)
        self._told = {"token": token.value, "lease_until": self._lease_until()}
        return dict(self._told)

    async def renewed(self) -> dict[str, Any] | None:
        """Return what has changed since. Raises LeaseLostError."""
        told = {"token": self._told["token"], "lease_until": self._lease_until()}
        # The one in use is good for some minutes yet.
        with suppress(TargetError):
            told["token"] = (await self._tokens.token(self._workspace)).value
        if told == self._told:
            return None
        self._told = told
        return dict(told)

    def _lease_until(self) -> float:
        self._lease.check()
        # In this order: a pause between the two lines makes the deadline no later.
        asked_at = time.monotonic()
        # Rounded, so that a lease that was not renewed is not told anew.
        return round(asked_at + self._lease.remaining_seconds(), 1)


def launch(work: Path, *, program: Sequence[str] = _PROGRAM) -> SdkChild:
    """Start a spare child with the new directory `work`; return at once.

    It holds 90 MB, and takes 3 to 4 seconds to import azureml-core. Call it from the
    event loop's thread.
    """
    (work / "tmp").mkdir(parents=True, mode=0o700)
    ours, theirs = socket.socketpair()
    ours.settimeout(0)
    descriptor = theirs.fileno()
    try:
        child = children.start(
            [*program, str(descriptor), str(work)],
            _policy(work),
            log=ChildLog(work / "child.log"),
            pass_fds=[descriptor],
        )
    except OSError:
        ours.close()
        raise
    finally:
        theirs.close()
    return SdkChild(child, channel=ours, work=work)


def _policy(work: Path) -> Policy:
    """Return what asking an MLflow store takes: a home, the network, no more."""
    network = network_of(os.environ)
    environment = {**_ENVIRONMENT, **network.variables}
    if network.ca_bundle is not None:
        certificates = work / "ca.pem"
        certificates.write_text(network.ca_bundle, encoding="ascii", errors="replace")
        environment |= dict.fromkeys(_CERTIFICATES, str(certificates))
    policy = mlflow_policy(work=work, stores=(), environment=environment)
    return replace(policy, connect_ports=tuple(network.ports()))
