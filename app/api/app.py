"""The HTTP application, put together from started parts."""

import asyncio

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from app.api import errors, openapi
from app.api.middleware import RequestMiddleware
from app.api.parts import Parts, Scorer, put_parts
from app.api.routes import (
    azure_workspaces,
    by_name,
    cluster_events,
    clusters,
    deployment_actions,
    deployments,
    endpoint_keys,
    events,
    health,
    me,
    operations,
    revisions,
    scoring,
    webhooks,
    workspaces,
)
from app.services.context import Context
from app.services.keys import Authenticator
from app.services.scoring_access import ScoringAccess
from app.settings import Settings
from app.storage.notifications import KEYS
from app.storage.readiness import Readiness
from app.webhooks.addresses import Resolver
from app.webhooks.resolver import SystemResolver

ROUTERS = (
    health.router,
    me.router,
    workspaces.router,
    azure_workspaces.router,
    by_name.router,
    deployments.router,
    deployment_actions.router,
    revisions.router,
    scoring.router,
    endpoint_keys.router,
    clusters.router,
    cluster_events.router,
    operations.router,
    events.router,
    webhooks.router,
)

# What a page of another origin may read, where the operator lets it call at all.
_EXPOSED = (
    "ETag",
    "Link",
    "Location",
    "Operation-Location",
    "Retry-After",
    "Preference-Applied",
    "Deprecation",
    "Idempotency-Replayed",
    "X-Request-Id",
)
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
_SENT = (
    "Authorization",
    "Content-Type",
    "Idempotency-Key",
    "If-Match",
    "If-None-Match",
    "Last-Event-ID",
    "Prefer",
    "X-Request-Id",
)


def create_app(
    context: Context,
    *,
    settings: Settings,
    scorer: Scorer,
    stopping: asyncio.Event,
    resolver: Resolver | None = None,
) -> FastAPI:
    """Return the application; the caller starts and stops what it is given.

    Set `stopping` before the server shuts down: then streams and long polls end, and
    the process is no longer ready.
    """
    authenticator = Authenticator(context)
    # A revoked key is refused as soon as somebody says that one was.
    context.listener.call(KEYS, authenticator.forget)
    app = FastAPI(
        title="Slipway",
        version="1",
        summary="Deploys MLflow models over HTTP.",
        docs_url=None,
        redoc_url=None,
    )
    parts = Parts(
        context=context,
        settings=settings,
        authenticator=authenticator,
        scorer=scorer,
        resolver=resolver or SystemResolver(),
        readiness=Readiness(context.database),
        stopping=stopping,
        access=ScoringAccess(context),
    )
    put_parts(app, parts)
    for router in ROUTERS:
        app.include_router(router)
    errors.install(app)
    openapi.install(app, ROUTERS)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=_METHODS,
            allow_headers=_SENT,
            expose_headers=_EXPOSED,
        )
    # Added last, so that it is outermost: it sees every request first.
    app.add_middleware(RequestMiddleware, ids=context.ids)
    return app
