"""`validate_only`: the real call's checks and its outcome, with nothing stored."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import TypeAdapter

from app.core.diff import FieldChange, first_fields, strongest
from app.core.option import Effect
from app.core.principal import Principal
from app.core.specs import DeploymentSpec
from app.core.target import ResolvedModel
from app.services import queries
from app.services.changes import Accepted
from app.services.context import Context
from app.services.deployments import granted
from app.services.secrets import masked
from app.storage.database import Transaction

_SPEC = TypeAdapter(DeploymentSpec)
_MODEL: TypeAdapter[ResolvedModel | None] = TypeAdapter(ResolvedModel | None)


@dataclass(frozen=True, kw_only=True, slots=True)
class Preflight:
    """What a worker says of a spec: the model it names now, and what is amiss."""

    model: ResolvedModel | None
    findings: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Preview:
    """What a change would do: its strongest effect, and each field's own."""

    outcome: Literal["create", "change", "nothing"]
    effect: Effect | None
    changes: tuple[FieldChange, ...]
    findings: tuple[Mapping[str, Any], ...]
    model: ResolvedModel | None


async def preflight(
    context: Context,
    workspace: str,
    name: str,
    *,
    spec: DeploymentSpec,
    principal: Principal,
) -> Preflight:
    """Let a worker look at the model and the spec; changes nothing anywhere."""
    async with context.database.reading() as connection:
        await granted(connection, workspace, principal=principal)
    question = {
        "workspace": workspace,
        "name": name,
        "spec": _SPEC.dump_python(masked(spec), mode="json"),
    }
    answer = await queries.ask(context, "preflight", question, principal=principal)
    return Preflight(
        model=_MODEL.validate_python(answer["model"]),
        findings=tuple(answer["findings"]),
    )


async def preview(
    context: Context,
    action: Callable[[Transaction], Awaitable[Accepted]],
    *,
    found: Preflight | None = None,
) -> Preview:
    """Run `action` in a transaction that is rolled back, and say what it did.

    Whatever the real call would raise is raised.
    """
    async with context.database.trial() as tx:
        accepted = await action(tx)
    outcome, changed = _outcome(accepted)
    return Preview(
        outcome=outcome,
        effect=strongest(changed),
        changes=changed,
        findings=() if found is None else found.findings,
        model=accepted.deployment.model if found is None else found.model,
    )


def _outcome(
    accepted: Accepted,
) -> tuple[Literal["create", "change", "nothing"], tuple[FieldChange, ...]]:
    if not accepted.is_new:
        return "nothing", ()
    # A new row has told of nothing but its acceptance.
    if accepted.deployment.version == 1:
        return "create", first_fields(accepted.deployment.spec)
    return "change", accepted.changes
