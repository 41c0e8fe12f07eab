"""What a revision printed, wherever that is kept now."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from app.core.aci_options import AciOptions
from app.core.aks_options import AksOptions
from app.core.deployment import Deployment
from app.core.errors import NotSupportedError
from app.core.event import Event
from app.core.principal import Principal
from app.core.specs import LocalOptions
from app.services import queries
from app.services.context import Context
from app.storage import deployments, events, revisions


class Source(StrEnum):
    """Whose words a log holds; a target has some of these."""

    MODEL = "model"
    STORAGE_INITIALIZER = "storage_initializer"
    BUILD = "build"
    OPERATION = "operation"


@dataclass(frozen=True, kw_only=True, slots=True)
class LogRequest:
    """Which lines a caller wants: at most the last `tail`, of one revision."""

    source: Source
    revision: int | None
    tail: int
    since: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Log:
    """The last lines of a log, oldest first; `revision` None stands for every one."""

    source: Source
    revision: int | None
    lines: tuple[str, ...]


async def read(
    context: Context, deployment_id: str, wanted: LogRequest, *, principal: Principal
) -> Log:
    """Return the log; of a revision that is gone, what was kept of it.

    Raises NotSupportedError for what the target keeps no log of.
    """
    async with context.database.reading() as connection:
        found, _ = await deployments.get(
            connection, deployment_id, project=principal.project
        )
    if wanted.source is Source.OPERATION:
        return await _of_operations(context, found, wanted)
    _check_supported(found, wanted)
    number = wanted.revision or found.serving_revision or found.wanted_revision
    async with context.database.reading() as connection:
        revision = await revisions.get(connection, found.id, number)
        kept = await revisions.log_tail(connection, found.id, number)
    # What was kept when the revision went is what the model had printed.
    lines: Sequence[str] = (kept or ()) if wanted.source is Source.MODEL else ()
    if revision.handle is not None:
        question = {
            "deployment_id": found.id,
            "revision": number,
            "source": str(wanted.source),
            "tail": wanted.tail,
        }
        answer = await queries.ask(context, "logs", question, principal=principal)
        lines = answer["lines"] or lines
    return Log(
        source=wanted.source, revision=number, lines=tuple(lines[-wanted.tail :])
    )


def _check_supported(deployment: Deployment, wanted: LogRequest) -> None:
    match deployment.spec.target:
        case LocalOptions() if wanted.source is not Source.MODEL:
            raise NotSupportedError(
                f"The target local keeps no log of {wanted.source}.",
                remedy="Ask for source=model or source=operation.",
            )
        case LocalOptions() if wanted.since is not None:
            raise NotSupportedError(
                "What a local model prints carries no times.",
                remedy="Ask for the last lines with tail.",
            )
        case LocalOptions():
            return
        case AciOptions() | AksOptions():
            _check_web_service(deployment, wanted)


def _check_web_service(deployment: Deployment, wanted: LogRequest) -> None:
    kind = deployment.spec.target.kind
    if wanted.source is Source.STORAGE_INITIALIZER:
        raise NotSupportedError(
            f"The target {kind} keeps no log of {wanted.source}.",
            remedy="Ask for source=model, source=build or source=operation.",
        )
    if wanted.since is not None:
        raise NotSupportedError(
            "Azure's logs of a web service are read from their end, not by time.",
            remedy="Ask for the last lines with tail.",
        )


async def _of_operations(
    context: Context, deployment: Deployment, wanted: LogRequest
) -> Log:
    after = max(deployment.sequence - wanted.tail, 0)
    async with context.database.reading() as connection:
        found = await events.of_deployment(
            connection, deployment.id, after=after, limit=wanted.tail
        )
    lines = tuple(_line(event) for event in found if _is_wanted(event, wanted))
    return Log(source=wanted.source, revision=wanted.revision, lines=lines)


def _is_wanted(event: Event, wanted: LogRequest) -> bool:
    of_revision = wanted.revision in {None, event.data["operation"]["revision"]}
    return of_revision and (wanted.since is None or event.timestamp >= wanted.since)


def _line(event: Event) -> str:
    operation = event.data["operation"]
    words = (
        event.timestamp.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        event.type,
        operation["kind"],
        operation["phase"] or "",
        event.data.get("detail") or "",
    )
    return " ".join(word for word in words if word)
