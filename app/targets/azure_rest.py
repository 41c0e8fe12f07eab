"""Azure over plain REST: the one client of a worker, for every workspace.

A bearer token goes to the workspace's cloud and to no other host, wherever an answer
points. Reads are repeated, writes never: who writes looks first. Every call waits for
its turn at Azure's rates, and a 429 of one slows all of them down.
"""

import asyncio
from dataclasses import dataclass, replace
from typing import Any

import httpx

from app.core.clock import Clock
from app.core.failure import FailureCode, TargetError
from app.core.lease import Lease
from app.core.workspace import AzureMlWorkspace, Workspace
from app.targets.azure_answer import (
    Answer,
    BadAnswerError,
    at,
    bounded,
    correlation_ids,
    parsed,
    retry_after,
)
from app.targets.azure_call import Call, Host
from app.targets.azure_cloud import HOSTS
from app.targets.azure_failures import refused
from app.targets.azure_paths import WORKSPACE_API, azure_identity, workspace_path
from app.targets.azure_rates import Rates
from app.targets.azure_unreachable import foreign_host, no_region, unreachable
from app.targets.tokens import AccessToken, RevocableTokens

_TRIES = 4
_FIRST_WAIT_SECONDS = 0.5
# A 429 without Retry-After; ARM's own windows are of some seconds.
_UNTOLD_WAIT_SECONDS = 5.0
# Longer than this, whoever asked decides whether to wait.
_LONGEST_WAIT_SECONDS = 20.0
_MOST_PAGES = 1000
# What 408, 429, 5xx and a dropped connection become.
_REPEATED = frozenset({FailureCode.TARGET_UNAVAILABLE, FailureCode.THROTTLED})
_UNAUTHORIZED = 401
_THROTTLED = 429


@dataclass(frozen=True, kw_only=True, slots=True)
class _Errand:
    """A call on its way: for whom, and to which URL."""

    workspace: Workspace
    identity: AzureMlWorkspace
    call: Call
    url: httpx.URL
    lease: Lease | None


class AzureRest:
    """Calls Azure Resource Manager and the regional hosts of workspaces."""

    def __init__(
        self, client: httpx.AsyncClient, tokens: RevocableTokens, *, clock: Clock
    ) -> None:
        self._client = client
        self._tokens = tokens
        self._clock = clock
        self._rates = Rates(clock)
        self._regional: dict[str, httpx.URL] = {}

    async def send(
        self, workspace: Workspace, call: Call, *, lease: Lease | None = None
    ) -> Answer:
        """Return the answer to `call`: any 2xx, or a status that it accepts.

        Raises TargetError for every other one; LeaseLostError before a write for which
        no time is left. A write whose connection broke may have been done.
        """
        identity = azure_identity(workspace)
        base = await self._base(workspace, identity, call.host)
        url = base.copy_with(raw_path=call.path.encode("ascii"))
        return await self._exchanged(
            _Errand(
                workspace=workspace,
                identity=identity,
                call=call,
                url=url.copy_merge_params(call.query) if call.query else url,
                lease=lease,
            )
        )

    async def follow(self, workspace: Workspace, url: str, call: Call) -> Answer:
        """Return the answer at `url`, which Azure named; `call` says how to ask.

        Raises TargetError, with nothing sent, if it is not at the workspace's cloud.
        """
        identity = azure_identity(workspace)
        return await self._exchanged(
            _Errand(
                workspace=workspace,
                identity=identity,
                call=call,
                url=_own_url(url, identity),
                lease=None,
            )
        )

    async def listed(self, workspace: Workspace, call: Call) -> list[Any]:
        """Return the items of every page of a list, as they come."""
        items: list[Any] = []
        answer = await self.send(workspace, call)
        seen: set[str] = set()
        while True:
            body = answer.body if isinstance(answer.body, dict) else {}
            page, link = body.get("value"), body.get("nextLink")
            items += page if isinstance(page, list) else []
            if not isinstance(link, str) or not link or link in seen:
                return items
            if len(seen) == _MOST_PAGES:
                raise unreachable("the list has no end")
            seen.add(link)
            answer = await self.follow(workspace, link, replace(call, query={}))

    async def regional_url(self, workspace: Workspace) -> str:
        """Return the base URL of the workspace's regional services, found once."""
        base = await self._base(workspace, azure_identity(workspace), Host.REGIONAL)
        return str(base).rstrip("/")

    async def _base(
        self, workspace: Workspace, identity: AzureMlWorkspace, host: Host
    ) -> httpx.URL:
        if host is Host.MANAGEMENT:
            return httpx.URL(HOSTS[identity.cloud].management_url)
        known = self._regional.get(identity.arm_id)
        if known is None:
            known = await self._discovered(workspace, identity)
            self._regional[identity.arm_id] = known
        return known

    async def _discovered(
        self, workspace: Workspace, identity: AzureMlWorkspace
    ) -> httpx.URL:
        """Return the regional base URL, from the workspace's own discovery document."""
        described = await self.send(
            workspace, Call(path=workspace_path(identity), query=WORKSPACE_API)
        )
        address = at(described.body, "properties", "discoveryUrl")
        if not isinstance(address, str):
            raise no_region()
        call = Call(path="", host=Host.REGIONAL)
        document = await self.follow(workspace, address, call)
        api = at(document.body, "api")
        return _own_url(api if isinstance(api, str) else address, identity).copy_with(
            path="/", query=None
        )

    async def _exchanged(self, errand: _Errand) -> Answer:
        """Return an answer that is one, after repeating what may be repeated."""
        wait = _FIRST_WAIT_SECONDS
        for tries_left in reversed(range(_TRIES if errand.call.may_repeat else 1)):
            try:
                return await self._answered(errand)
            except TargetError as error:
                seconds = max(wait, error.retry_after_seconds or 0)
                may_mend = error.failure.code in _REPEATED
                if not (tries_left and may_mend and seconds <= _LONGEST_WAIT_SECONDS):
                    raise
            await self._clock.sleep(seconds)
            wait *= 2
        raise AssertionError("the last try returns or raises")

    async def _answered(self, errand: _Errand) -> Answer:
        """Return the answer to one try. Raises TargetError for every bad one."""
        try:
            answer = await self._authorized(errand)
        except (httpx.HTTPError, BadAnswerError, TimeoutError) as error:
            is_write = not errand.call.may_repeat and not _was_unsent(error)
            raise unreachable(error, is_write=is_write) from error
        if answer.is_success or answer.status in errand.call.accepts:
            return answer
        wait = retry_after(answer.headers, self._clock.now())
        if answer.status == _THROTTLED:
            wait = _UNTOLD_WAIT_SECONDS if wait is None else wait
            self._rates.slow_down(errand.identity, wait)
        raise refused(answer, retry_after_seconds=wait)

    async def _authorized(self, errand: _Errand) -> Answer:
        """Return the answer with a token, with a new one if Azure refuses the first."""
        token = await self._tokens.token(errand.identity)
        answer = await self._sent(errand, token)
        if answer.status != _UNAUTHORIZED:
            return answer
        await self._tokens.forget(errand.identity, token)
        return await self._sent(errand, await self._tokens.token(errand.identity))

    async def _sent(self, errand: _Errand, token: AccessToken) -> Answer:
        """Send it once, in turn; a write only while its lease lasts."""
        call, seconds = errand.call, errand.call.timeout_seconds
        await self._rates.turn(errand.workspace, errand.identity, call.lane)
        if errand.lease is not None:
            errand.lease.check()
            seconds = min(seconds, errand.lease.remaining_seconds())
        headers = {**call.headers, "authorization": f"Bearer {token.value}"}
        async with (
            asyncio.timeout(seconds),
            self._client.stream(
                call.method, errand.url, json=call.body, headers=headers
            ) as response,
        ):
            return _read(response, await bounded(response.aiter_bytes()))


def _read(response: httpx.Response, content: bytes) -> Answer:
    """Return the answer of a response. Raises BadAnswerError for a bad success.

    A refusal may come from a gateway before Azure: it has its status and no JSON.
    """
    headers = {name.lower(): value for name, value in response.headers.items()}
    try:
        body = parsed(content)
    except BadAnswerError:
        if response.is_success:
            raise
        body = None
    return Answer(
        status=response.status_code,
        body=body,
        headers=headers,
        correlation_ids=correlation_ids(headers, body),
    )


def _own_url(url: str, identity: AzureMlWorkspace) -> httpx.URL:
    """Return the URL if it is at the workspace's cloud. Raises TargetError if not."""
    try:
        found = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise foreign_host() from error
    is_plain = found.scheme == "https" and not found.userinfo and found.port is None
    if not is_plain or not HOSTS[identity.cloud].owns(found.host):
        raise foreign_host()
    return found


def _was_unsent(error: Exception) -> bool:
    """Say whether no byte of the request can have reached Azure."""
    return isinstance(
        error, httpx.ConnectError | httpx.ConnectTimeout | httpx.ProxyError
    )
