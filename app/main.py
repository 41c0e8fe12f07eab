"""The composition root: settings in, running parts out, and nothing else."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from ipaddress import ip_address

import structlog
import uvicorn
from typing_extensions import override

from app.api.app import create_app
from app.core.clock import RandomIds, SystemClock
from app.core.errors import OperatorError
from app.runner.worker import run_worker
from app.services import first_start, workspaces
from app.services.context import Context
from app.settings import Settings
from app.storage import migrations
from app.storage.cipher import Cipher
from app.storage.database import Database
from app.storage.notifications import Listener
from app.storage.opening import data_directory, database_url
from app.targets.isolation import isolation_level, protect_this_process
from app.targets.scoring import HttpScorer
from app.webhooks.addresses import AddressPolicy

_GRACEFUL_SHUTDOWN_SECONDS = 10

_LOG = structlog.get_logger(__name__)

# Told once, when `serve` accepts requests: its URL, and the admin key if just made.
Announce = Callable[[str, str | None], None]


@asynccontextmanager
async def context(settings: Settings, url: str) -> AsyncIterator[Context]:
    """Yield the parts that every use case needs, connected to the database."""
    clock = SystemClock()
    database, listener = Database(url), Listener(url)
    try:
        async with listener.running():
            yield Context(
                database=database,
                listener=listener,
                clock=clock,
                ids=RandomIds(clock),
                cipher=Cipher(first_start.root_secrets(settings)),
                address_policy=address_policy(settings),
                base_url=settings.base_url(),
                local_stores=tuple(str(path) for path in settings.local_stores),
                local_enabled=bool(settings.local_enabled),
                credentials=settings.credential_declarations,
                declared_secrets=settings.secret_declarations,
            )
    finally:
        await database.close()


def address_policy(settings: Settings) -> AddressPolicy:
    """Return where callers' URLs may lead, as the operator decided."""
    return AddressPolicy(
        allow_http=settings.webhook_allow_http,
        allowed_networks=settings.webhook_allowed_cidrs,
    )


def check_exposure(settings: Settings) -> None:
    """Raise OperatorError if unconfined models would be open to other machines."""
    if not settings.local_enabled or isolation_level() != "none":
        return
    if not _is_loopback(settings.host):
        raise OperatorError(
            "This kernel cannot confine models (no Landlock), and SLIPWAY_HOST is "
            "open to other machines while the target `local` is on.",
            remedy="Use SLIPWAY_HOST=127.0.0.1, or SLIPWAY_LOCAL_ENABLED=false.",
        )


async def run_api(
    parts: Context, settings: Settings, *, listening: socket.socket, stop: asyncio.Event
) -> None:
    """Serve the HTTP API until `stop` is set, then let what runs end."""
    async with HttpScorer() as scorer:
        app = create_app(parts, settings=settings, scorer=scorer, stopping=stop)
        server = _Server(
            uvicorn.Config(
                app,
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=_GRACEFUL_SHUTDOWN_SECONDS,
            )
        )
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        stopped = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({serving, stopped}, return_when=asyncio.FIRST_COMPLETED)
            server.should_exit = True
            await serving
        finally:
            stopped.cancel()


def listen(settings: Settings) -> socket.socket:
    """Return a bound socket for the API, or raise OperatorError saying who has it."""
    try:
        return socket.create_server(
            (settings.host, settings.port), backlog=2048, reuse_port=False
        )
    except OSError as error:
        raise OperatorError(
            f"Cannot listen on {settings.host}:{settings.port}: {error.strerror}.",
            remedy="Choose another SLIPWAY_PORT, or 0 to let the system choose.",
        ) from error


@contextmanager
def stop_signals(stop: asyncio.Event) -> Iterator[None]:
    """Set `stop` at SIGTERM or SIGINT while the block runs."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        yield
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


async def serve(settings: Settings, announce: Announce) -> None:
    """Run everything in this process until it is told to stop.

    Order out: stop accepting, let streams and requests end, drain the worker, stop
    the models, close the pools, stop the database, give the directory back.
    """
    settings = settings.model_copy(
        update={
            "local_enabled": settings.local_enabled is not False,
            "default_credential": settings.default_credential is not False,
            "local_stores": (*settings.local_stores, settings.mlflow_dir),
        }
    )
    check_exposure(settings)
    protect_this_process()
    stop = asyncio.Event()
    async with data_directory(settings), contextlib.AsyncExitStack() as stack:
        listening = stack.enter_context(contextlib.closing(listen(settings)))
        stack.enter_context(stop_signals(stop))
        url = await stack.enter_async_context(database_url(settings))
        if not settings.is_embedded:
            await asyncio.to_thread(migrations.upgrade, url)
        parts = await stack.enter_async_context(context(settings, url))
        parts = replace(parts, base_url=_base_url(settings, listening))
        admin_key = await first_start.ensure_admin_key(parts, settings)
        await workspaces.ensure_local(parts, settings.mlflow_dir)
        announce(parts.base_url, admin_key)
        await _both(parts, settings, listening=listening, stop=stop)


async def _both(
    parts: Context, settings: Settings, *, listening: socket.socket, stop: asyncio.Event
) -> None:
    drained = asyncio.Event()
    api = asyncio.create_task(
        run_api(parts, settings, listening=listening, stop=stop), name="api"
    )
    worker = asyncio.create_task(
        run_worker(parts, settings, stop=drained, is_alone=settings.is_embedded),
        name="worker",
    )
    try:
        await asyncio.wait({api, worker}, return_when=asyncio.FIRST_COMPLETED)
        # Whichever ended, asked or not, the other must end too: a service that
        # accepts what nobody carries out would be worse than none.
        stop.set()
        await api
    finally:
        drained.set()
        await worker


def _base_url(settings: Settings, listening: socket.socket) -> str:
    if settings.public_url:
        return settings.public_url.rstrip("/")
    host = settings.host if _is_loopback(settings.host) else "127.0.0.1"
    return f"http://{host}:{listening.getsockname()[1]}"


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    with contextlib.suppress(ValueError):
        return ip_address(host).is_loopback
    return False


class _Server(uvicorn.Server):
    """uvicorn without signal handlers of its own: the process has one for all."""

    @override
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
