"""Every request passes here: written down, spoiled if asked, checked, answered."""

import asyncio
import re
from collections.abc import Mapping
from email.utils import formatdate
from http import HTTPStatus
from urllib.parse import parse_qs, unquote

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.simulator.connections import cut, is_absolute, is_tls
from app.simulator.errors import AzureError, Style, render
from app.simulator.journal import SeenRequest
from app.simulator.rates import ArmRates
from app.simulator.rights import Rights
from app.simulator.spoiling import Spoiling
from app.simulator.surfaces import UNKNOWN, Surface, Surfaces
from app.simulator.tokens import Caller, Tokens
from app.simulator.world import World

_SUBSCRIPTION = re.compile(r"^/subscriptions/([^/]+)", re.IGNORECASE)


class Gate:
    """The application behind the port: Azure's surfaces, and the control API."""

    def __init__(self, world: World, surfaces: Surfaces, control: ASGIApp) -> None:
        self._world = world
        self._surfaces = surfaces
        self._control = control

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        host, plain = _host(scope), not is_tls(scope)
        # azureml-core asks ARM for `//subscriptions/…`, and Azure takes it.
        scope["path"] = "/" + scope["path"].lstrip("/")
        if plain and (not is_absolute(scope) or _is_own(scope)):
            await self._control(scope, receive, send)
            return
        surface = None
        if self._surfaces.knows(host, plain=plain):
            surface = self._surfaces.find(host, scope["path"])
        if surface is None:
            self._world.journal.refuse(host)
            refusal = PlainTextResponse(
                f"{host} is not one of the names that the simulated Azure answers "
                "for.\n",
                status_code=403,
            )
            await refusal(scope, receive, send)
            return
        await self._exchange(surface, host, scope)(scope, receive, send)

    def _exchange(self, surface: Surface, host: str, scope: Scope) -> "_Exchange":
        headers, journal = Headers(scope=scope), self._world.journal
        seen = SeenRequest(
            number=journal.next_number(),
            method=scope["method"],
            host=host,
            path=scope["path"],
            query=unquote(scope["query_string"].decode("latin-1")),
            client_request_id=headers.get("x-ms-client-request-id", ""),
            request_id=self._world.new_id(),
            at_seconds=self._world.clock.seconds(),
        )
        journal.requests.append(seen)
        return _Exchange(self._world, surface, self._surfaces.app(surface), seen)


class _Exchange:
    """One request at one surface."""

    def __init__(
        self, world: World, surface: Surface, app: ASGIApp, seen: SeenRequest
    ) -> None:
        self._world = world
        self._surface = surface
        self._app = app
        self._seen = seen
        self._headers: Mapping[str, str] = {}
        self._is_started = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        spoiling = Spoiling(self._world.faults, self._seen)

        async def listen() -> Message:
            message = await receive()
            # A token request's body holds the caller's secret.
            if message["type"] == "http.request" and self._keeps_bodies():
                self._seen.keep(message.get("body", b""))
            return message

        async def answer(message: Message) -> None:
            await send(self._stamped(message))

        try:
            if await self._is_dropped(spoiling):
                await self._cut(scope, receive)
                return
            spoiled = spoiling.answer(answer)
            await self._work(scope, listen, spoiled.send, spoiling)
            if await spoiled.finish():
                await self._cut(scope, receive)
        except AzureError as error:
            await self._refuse(error, scope, receive, answer)

    async def _is_dropped(self, spoiling: Spoiling) -> bool:
        clock = self._world.clock
        await clock.sleep(self._world.settings.latency("request"))
        if slow := spoiling.take("slow"):
            # The client's patience is real time, so this is too.
            await asyncio.sleep(slow.number("seconds", 5))
        return spoiling.take("dropped-connection") is not None

    async def _work(
        self, scope: Scope, receive: Receive, send: Send, spoiling: Spoiling
    ) -> None:
        refusal = spoiling.refusal(self._surface.style)
        if isinstance(refusal, AzureError):
            raise refusal
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        self._admit(scope)
        try:
            await self._app(scope, receive, send)
        finally:
            self._seen.is_unknown = bool(
                scope["state"].get(UNKNOWN)
                or self._seen.status == HTTPStatus.METHOD_NOT_ALLOWED
            )

    def _admit(self, scope: Scope) -> None:
        if not self._surface.audiences:
            return
        header = Headers(scope=scope).get("authorization", "")
        caller = self._world.part(Tokens).check(header, self._surface.audiences)
        self._seen.principal = caller.client_id
        self._world.part(Rights).check(scope["method"], scope["path"], caller.object_id)
        if self._surface.name == "arm":
            self._admit_to_arm(scope, caller)

    def _admit_to_arm(self, scope: Scope, caller: Caller) -> None:
        if "api-version" not in parse_qs(scope["query_string"].decode("latin-1")):
            raise AzureError(
                400,
                "MissingApiVersionParameter",
                "The api-version query parameter (?api-version=) is required for all "
                "requests.",
            )
        if self._world.settings.rate_limits:
            found = _SUBSCRIPTION.match(scope["path"])
            self._headers = self._world.part(ArmRates).spend(
                scope["method"], found.group(1) if found else "", caller.client_id
            )

    async def _refuse(
        self, error: AzureError, scope: Scope, receive: Receive, answer: Send
    ) -> None:
        if self._is_started:
            await self._cut(scope, receive)
            return
        response = render(error, self._surface.style, self._seen.request_id)
        await response(scope, receive, answer)

    async def _cut(self, scope: Scope, receive: Receive) -> None:
        self._seen.status = 0
        cut(scope)
        while (await receive())["type"] != "http.disconnect":
            pass

    def _stamped(self, message: Message) -> Message:
        if message["type"] == "http.response.start":
            self._is_started = True
            self._seen.status = message["status"]
            headers = MutableHeaders(raw=list(message.get("headers", [])))
            headers.setdefault(
                "date", formatdate(self._world.clock.wall(), usegmt=True)
            )
            headers.setdefault("x-ms-request-id", self._seen.request_id)
            headers.setdefault("x-ms-correlation-request-id", self._seen.request_id)
            headers.update(self._headers)
            message["headers"] = headers.raw
        return message

    def _keeps_bodies(self) -> bool:
        return self._surface.style not in {Style.AAD, Style.BLOB}


def _is_own(scope: Scope) -> bool:
    """Tell of a proxied request whether it is for this very port."""
    address, port = scope["server"]
    return Headers(scope=scope).get("host", "") in {
        f"{address}:{port}",
        f"localhost:{port}",
    }


def _host(scope: Scope) -> str:
    host = Headers(scope=scope).get("host", "").lower()
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdigit() else host
