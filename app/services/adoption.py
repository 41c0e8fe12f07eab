"""Take over web services that stand at Azure, without touching them."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import TypeAdapter, ValidationError

from app.core.adoption import StandingService
from app.core.conditions import Condition, ConditionStatus, ConditionType
from app.core.deployment import Deployment, Operation, Traffic
from app.core.errors import (
    FieldProblem,
    InvalidError,
    NameTakenError,
    NotFoundError,
    NotSupportedError,
)
from app.core.event import DeploymentAccepted, DeploymentLive
from app.core.lifecycle import DeploymentState, OperationKind, OperationState
from app.core.principal import Principal
from app.core.specs import DeploymentSpec, ModelSpec
from app.core.workspace import Workspace
from app.services import queries
from app.services.changes import Accepted
from app.services.context import Context
from app.services.deployments import granted
from app.services.events import notify_webhooks, tell
from app.services.planning import (
    ChangeOptions,
    Plan,
    first_deployment,
    new_operation,
    new_revision,
    plan_first,
)
from app.storage import acceptance, installation
from app.storage.database import Transaction

_STANDING = TypeAdapter(StandingService)
_SPEC = TypeAdapter(DeploymentSpec)
_DETAIL = "adopted as it stands at Azure; the first change writes Slipway's mark on it"


@dataclass(frozen=True, kw_only=True, slots=True)
class Read:
    """What a worker read, and why services of the request cannot be adopted."""

    services: Sequence[StandingService]
    problems: Sequence[FieldProblem]


async def read(
    context: Context, workspace: str, names: Sequence[str], *, principal: Principal
) -> Read:
    """Return the services of these names as a worker reads them at Azure."""
    async with context.database.reading() as connection:
        await granted(connection, workspace, principal=principal)
    found: list[StandingService] = []
    problems: list[FieldProblem] = []
    for number, name in enumerate(names):
        question = {"workspace": workspace, "name": name}
        try:
            answer = await queries.ask(
                context, "standing_service", question, principal=principal
            )
        except (NotFoundError, NotSupportedError) as error:
            problems.append(
                FieldProblem(
                    pointer=f"/names/{number}", code=error.code, detail=error.detail
                )
            )
            continue
        service = _STANDING.validate_python(answer)
        found.append(service)
        if not _is_askable(service):
            problems.append(
                FieldProblem(
                    pointer=f"/names/{number}",
                    code="not_supported",
                    detail="has a description, tags or properties beyond what a "
                    "request may hold",
                )
            )
    return Read(services=found, problems=problems)


async def adopt(
    context: Context,
    tx: Transaction,
    workspace: str,
    found: Read,
    *,
    options: ChangeOptions,
) -> list[Accepted]:
    """Create a live deployment for each service that was `found`; all, or none.

    Nothing is changed at Azure. Raises InvalidError naming each that is not there or
    cannot be adopted, and NameTakenError for one that has a deployment.
    """
    if found.problems:
        raise InvalidError(
            "Not all of these services can be adopted; none was.",
            fields=found.problems,
        )
    held = await granted(tx, workspace, principal=options.principal)
    return [
        await _adopt_one(context, tx, held, service, options=options)
        for service in found.services
    ]


async def _adopt_one(
    context: Context,
    tx: Transaction,
    workspace: Workspace,
    service: StandingService,
    *,
    options: ChangeOptions,
) -> Accepted:
    plan = plan_first(_spec(service), options)
    plan = dataclasses.replace(plan, model=service.model)
    deployment, operation = _live(
        context, workspace, service, plan=plan, options=options
    )
    revision = dataclasses.replace(
        new_revision(deployment, plan, operation),
        handle={
            "workspace": workspace.id,
            "service": service.name,
            "kind": service.options.kind,
            "azure_name": service.name,
            "installation": await installation.get_id(tx),
            "deployment": deployment.id,
            "adopted": True,
        },
    )
    happened = [DeploymentAccepted(), DeploymentLive(detail=_DETAIL)]
    told = tell(context, deployment, operation=operation, happened=happened)
    stored = await acceptance.create(
        tx, deployment, revision=revision, operation=operation, told=told, wake_ups=[]
    )
    if stored is None:
        raise NameTakenError(f"The service {service.name} has a deployment already.")
    if stored.is_heard:
        await notify_webhooks(context, tx, deployment, told)
    return Accepted(deployment=deployment, operation=operation)


def _live(
    context: Context,
    workspace: Workspace,
    service: StandingService,
    *,
    plan: Plan,
    options: ChangeOptions,
) -> tuple[Deployment, Operation]:
    fresh = first_deployment(
        context, workspace, service.name, plan=plan, options=options
    )
    now = fresh.created_at
    operation = dataclasses.replace(
        new_operation(
            context, fresh, kind=OperationKind.ADOPT, revision=1, options=options
        ),
        state=OperationState.SUCCEEDED,
        admitted_at=now,
        started_at=now,
        finished_at=now,
    )
    adopted = Condition(
        type=ConditionType.SERVING,
        status=ConditionStatus.TRUE,
        reason="Adopted",
        message=_DETAIL,
        last_transition_at=now,
    )
    live = dataclasses.replace(
        fresh,
        state=DeploymentState.LIVE,
        conditions=(adopted,),
        serving=True,
        serving_revision=1,
        # It is born with two events: accepted, and live.
        sequence=2,
        scoring_uri=service.scoring_uri,
        swagger_uri=service.swagger_uri,
        traffic=(Traffic(revision=1, percent=100, azure_name=service.name),),
        azure_state=service.state,
        latest_operation_id=operation.id,
    )
    return live, operation


def _is_askable(service: StandingService) -> bool:
    """Say whether its spec could be stored, and read back, as any request's."""
    try:
        _SPEC.validate_python(_SPEC.dump_python(_spec(service), mode="json"))
    except ValidationError:
        return False
    return True


def _spec(service: StandingService) -> DeploymentSpec:
    return DeploymentSpec(
        model=ModelSpec(uri=service.model.uri),
        target=service.options,
        description=service.description,
        tags=service.tags,
        properties=service.properties,
    )
