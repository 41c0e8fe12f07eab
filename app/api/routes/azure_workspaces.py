"""What Azure tells of a workspace, and taking over what stands there."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Body, Path, Request, Response
from pydantic import TypeAdapter

from app.api import examples, shapes
from app.api.answers import JSON, to_response
from app.api.deps import (
    BaseUrl,
    CurrentContext,
    Deployer,
    Reader,
    request_id,
)
from app.api.documents import refused, shown
from app.api.idempotency import RequiredKey
from app.api.route import GuardedRoute
from app.core.azure_view import AzureService, CheckResult, CheckStatus, QuotaUsage
from app.core.errors import (
    AppError,
    IdempotencyKeyMissingError,
    IdempotencyKeyReusedError,
    NameTakenError,
    NotFoundError,
    NotSupportedError,
    TimedOutError,
    UpstreamError,
)
from app.core.requests import AdoptServices
from app.core.specs import WorkspaceName
from app.core.view import DeploymentView
from app.services import adoption
from app.services import azure_workspaces as use_cases
from app.services.events import deployment_json
from app.services.idempotency import Answer, guarded
from app.services.planning import ChangeOptions
from app.storage.database import Transaction

router = APIRouter(route_class=GuardedRoute, tags=["workspaces"])

_PATH = "/v1/workspaces/{workspace}"
_ASKED: tuple[type[AppError], ...] = (
    NotFoundError,
    NotSupportedError,
    UpstreamError,
    TimedOutError,
)
_NO_CACHE = {"Cache-Control": "no-cache"}
Name = Annotated[WorkspaceName, Path()]


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckView:
    """How the checks of a workspace ended; `ok` unless one of them failed."""

    workspace: str
    ok: bool
    checks: tuple[CheckResult, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class QuotaView:
    """The usages of a workspace's region, the fullest first."""

    items: tuple[QuotaUsage, ...]
    next_cursor: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ServicesView:
    """All that serves in a workspace; `problems` says what could not be listed."""

    items: tuple[AzureService, ...]
    problems: tuple[str, ...]
    next_cursor: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class AdoptedView:
    """The deployments that were made, each live, in the order asked for."""

    items: tuple[DeploymentView, ...]
    next_cursor: str | None = None


_CHECK = TypeAdapter(CheckView)
_QUOTA = TypeAdapter(QuotaView)
_SERVICES = TypeAdapter(ServicesView)


@router.post(
    f"{_PATH}/check",
    summary="Check a workspace at Azure",
    responses=shown(
        200, "How each check ended.", {"prod": examples.check()}, model=CheckView
    )
    | refused(*_ASKED),
)
async def check_workspace(
    workspace: Name, context: CurrentContext, caller: Reader
) -> Response:
    """Try, reading only, what a deployment will need: each check with its remedy."""
    found = await use_cases.check(context, workspace, principal=caller)
    ok = all(one.status is not CheckStatus.FAILED for one in found)
    view = CheckView(workspace=workspace, ok=ok, checks=found)
    return Response(_CHECK.dump_json(view), media_type=JSON, headers=_NO_CACHE)


@router.get(
    f"{_PATH}/quota",
    summary="Show the quota of a workspace's region",
    responses=shown(
        200, "What is used of it.", {"eastus2": examples.quota()}, model=QuotaView
    )
    | refused(*_ASKED),
)
async def show_quota(
    workspace: Name, context: CurrentContext, caller: Reader
) -> Response:
    """Return what of Azure's quotas is used, the fullest first."""
    found = await use_cases.quota(context, workspace, principal=caller)
    view = QuotaView(items=found)
    return Response(_QUOTA.dump_json(view), media_type=JSON, headers=_NO_CACHE)


@router.get(
    f"{_PATH}/services",
    summary="List all that serves in a workspace",
    responses=shown(
        200,
        "Web services and endpoints, whoever made them.",
        {"two": examples.services()},
        model=ServicesView,
    )
    | refused(*_ASKED),
)
async def list_services(
    workspace: Name, context: CurrentContext, caller: Reader
) -> Response:
    """Return what stands at Azure; one that cannot be read is told of as such."""
    found = await use_cases.services(context, workspace, principal=caller)
    view = ServicesView(items=found.items, problems=found.problems)
    return Response(_SERVICES.dump_json(view), media_type=JSON, headers=_NO_CACHE)


@router.post(
    f"{_PATH}/services/adopt",
    status_code=201,
    summary="Adopt web services that stand at Azure",
    responses=shown(
        201,
        "Adopted, all of them; nothing was changed at Azure.",
        {"one": examples.adopted()},
        model=AdoptedView,
    )
    | refused(
        *shapes.BODY_ERRORS,
        *_ASKED,
        NameTakenError,
        IdempotencyKeyMissingError,
        IdempotencyKeyReusedError,
    ),
)
async def adopt_services(  # noqa: PLR0913 - what FastAPI hands in
    workspace: Name,
    body: Annotated[
        AdoptServices,
        Body(openapi_examples={"one": {"value": {"names": ["diabetes-model-1"]}}}),
    ],
    *,
    request: Request,
    context: CurrentContext,
    caller: Deployer,
    base_url: BaseUrl,
    key: RequiredKey,
) -> Response:
    """Make a live deployment of each service; the first change of one marks it ours.

    All or none: 422 names those that are not there or cannot be adopted.
    """
    names = tuple(dict.fromkeys(body.names))
    found = await adoption.read(context, workspace, names, principal=caller)
    options = ChangeOptions(principal=caller, request_id=request_id(request))

    async def action(tx: Transaction) -> Answer:
        adopted = await adoption.adopt(context, tx, workspace, found, options=options)
        items = [
            deployment_json(base_url, one.deployment, one.operation) for one in adopted
        ]
        return Answer(status=201, body={"items": items, "next_cursor": None})

    return to_response(await guarded(context, key, action))
