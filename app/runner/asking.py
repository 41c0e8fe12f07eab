"""What a target is asked for: a revision, with its secrets as they are just now."""

from app.core.deployment import Revision
from app.core.secret import secrets_of
from app.core.target import ApplyRequest, Handle
from app.runner.failures import model_missing
from app.runner.records import persistently
from app.runner.work import OperationFailedError, Subject, Work
from app.services.secrets import reveal
from app.storage import revisions
from app.storage.database import Transaction


async def apply_request(work: Work, subject: Subject) -> ApplyRequest:
    """Return what the target is asked for, for the revision of `subject`.

    Its secrets are read anew each time: an operator may have replaced them. Raises
    TargetError for one that cannot be read.
    """
    revision = subject.revision
    if revision.model is None:
        raise OperationFailedError(model_missing())
    return ApplyRequest(
        workspace=subject.workspace,
        deployment_name=subject.deployment.name,
        endpoint=subject.deployment.endpoint_key,
        slot=revision.slot,
        mark=work.mark(subject.operation, revision),
        options=revision.spec.target,
        model=revision.model,
        tags=revision.spec.tags,
        properties=revision.spec.properties,
        description=revision.spec.description,
        handle=revision.handle or await _adopted(work, subject),
        secrets=await _secrets(work, revision),
    )


async def _adopted(work: Work, subject: Subject) -> Handle | None:
    """Return the handle of what the deployment adopted; None if it adopted nothing."""
    if subject.deployment.serving_revision is None:
        return None

    async def read(tx: Transaction) -> list[Revision]:
        return await revisions.with_handle(tx, subject.deployment.id)

    handles = [one.handle or {} for one in await persistently(work, read)]
    return next((one for one in handles if one.get("adopted") is True), None)


async def _secrets(work: Work, revision: Revision) -> dict[str, str]:
    """Return by field what the revision's secrets stand for just now."""
    options = revision.spec.target
    given = secrets_of(options)
    if not given:
        return {}

    async def read(tx: Transaction) -> dict[str, str]:
        return dict(await reveal(work.context, tx, options))

    found = await persistently(work, read)
    for name, one in given.items():
        if one.secret is not None and work.secrets is not None:
            found[name] = await work.secrets.value(one.secret, project=revision.project)
    return found
