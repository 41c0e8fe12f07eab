"""How every change of a deployment is answered: accepted, replayed, or only tried."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Annotated

from fastapi import Depends, Query, Request, Response
from pydantic import TypeAdapter

from app.api.answers import (
    JSON,
    accepted_answer,
    operation_answer,
    show_operation,
    to_response,
)
from app.api.conditional import IfMatch
from app.api.deps import Deployer, KeyHolder, base_url, request_id
from app.api.parts import Parts, parts_of
from app.api.waiting import Wait, acknowledge, until_ended
from app.core.deployment import Operation
from app.core.principal import Principal
from app.core.requests import PutDeployment
from app.services.changes import Accepted
from app.services.followers import Following
from app.services.idempotency import Answer, guarded
from app.services.planning import ChangeOptions
from app.services.previews import Preflight, Preview, preview
from app.storage import deployments
from app.storage.database import Transaction
from app.storage.idempotency import IdempotencyKey

Action = Callable[[Transaction], Awaitable[Accepted]]

_PREVIEW = TypeAdapter(Preview)

Queue = Annotated[
    bool, Query(description="Wait in order instead of 409 `operation_in_progress`.")
]
ValidateOnly = Annotated[
    bool, Query(description="Say what would happen; nothing is stored.")
]


@dataclass(frozen=True, kw_only=True, slots=True)
class Manner:
    """How a change is to be made and told, from its query and headers."""

    if_match: frozenset[int] | None
    wait: int | None
    queue: bool
    validate_only: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """One request that changes a deployment; whatever route it came by."""

    parts: Parts
    principal: Principal
    base_url: str
    request_id: str | None
    manner: Manner

    def options(self, request: PutDeployment | None = None) -> ChangeOptions:
        """Return what the use cases need to know, from the body too if there is one."""
        options = ChangeOptions(
            principal=self.principal,
            request_id=self.request_id,
            queue=self.manner.queue,
            if_match=self.manner.if_match,
        )
        if request is None:
            return options
        return replace(
            options,
            deadline=timedelta(seconds=request.deadline_seconds),
            allow_recreate=request.allow_recreate,
            expected_revision=request.expected_revision,
            following=Following(wanted=request.webhook, principal=self.principal),
        )

    async def run(
        self,
        action: Action,
        *,
        key: IdempotencyKey | None = None,
        found: Preflight | None = None,
    ) -> Response:
        """Do it in one transaction, or only try it, and answer as was preferred."""
        if self.manner.validate_only:
            tried = await preview(self.parts.context, action, found=found)
            return Response(_PREVIEW.dump_json(tried), media_type=JSON)
        started: list[Accepted] = []

        async def answered(tx: Transaction) -> Answer:
            accepted = await action(tx)
            started.append(accepted)
            return accepted_answer(accepted, self.base_url)

        answer = await guarded(self.parts.context, key, answered)
        wait = self.manner.wait
        # Also where nothing was to be started: what was asked before may still run.
        if wait and started:
            answer = await self._ended(started[0])
        return acknowledge(to_response(answer), wait)

    async def run_on_operation(
        self,
        action: Callable[[Transaction], Awaitable[Operation]],
        *,
        key: IdempotencyKey | None,
    ) -> Response:
        """Do it in one transaction, or only try it, and answer with the operation."""
        if self.manner.validate_only:
            async with self.parts.context.database.trial() as tx:
                tried = await action(tx)
            return show_operation(tried, self.base_url)
        touched: list[Operation] = []

        async def answered(tx: Transaction) -> Answer:
            touched.append(await action(tx))
            return operation_answer(touched[0], self.base_url)

        answer = await guarded(self.parts.context, key, answered)
        wait = self.manner.wait
        if wait and touched:
            ended = await until_ended(self.parts, touched[0], seconds=wait)
            answer = operation_answer(ended, self.base_url)
        return acknowledge(to_response(answer), wait)

    async def _ended(self, accepted: Accepted) -> Answer:
        await until_ended(self.parts, accepted.operation, seconds=self.manner.wait or 0)
        async with self.parts.context.database.reading() as connection:
            deployment, operation = await deployments.get(
                connection, accepted.deployment.id, project=None
            )
        current = replace(accepted, deployment=deployment, operation=operation)
        return accepted_answer(current, self.base_url)


async def _manner(
    if_match: IfMatch,
    wait: Wait,
    queue: Queue = False,  # noqa: FBT002 - a query parameter
    validate_only: ValidateOnly = False,  # noqa: FBT002 - a query parameter
) -> Manner:
    return Manner(
        if_match=if_match, wait=wait, queue=queue, validate_only=validate_only
    )


async def _change(
    request: Request,
    principal: Deployer,
    manner: Annotated[Manner, Depends(_manner)],
) -> Change:
    return Change(
        parts=parts_of(request),
        principal=principal,
        base_url=base_url(request),
        request_id=request_id(request),
        manner=manner,
    )


async def _key_change(
    request: Request,
    principal: KeyHolder,
    manner: Annotated[Manner, Depends(_manner)],
) -> Change:
    return await _change(request, principal, manner)


CurrentChange = Annotated[Change, Depends(_change)]
# A change of an endpoint's keys, which the scope `deploy` does not include.
CurrentKeyChange = Annotated[Change, Depends(_key_change)]
