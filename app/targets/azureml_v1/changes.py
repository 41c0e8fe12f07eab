"""Bringing a web service to what is wanted: looked at first, made once, never taken.

Every change is one write under the lease. What came of one whose answer was lost is
found out by looking: the service's tags say which change has reached it.
"""

from collections.abc import Callable
from functools import partial
from importlib.resources import files
from typing import Any

from app.core.clock import Clock
from app.core.failure import FailureCode, TargetError
from app.core.lease import Lease
from app.core.target import ApplyRequest, KeyName
from app.core.workspace import Workspace
from app.targets.azure_paths import azure_identity
from app.targets.azureml_v1.failures import (
    name_taken,
    operation_failed,
    still_busy,
)
from app.targets.azureml_v1.sdk_arguments import (
    create_arguments,
    opening_arguments,
    update_arguments,
)
from app.targets.azureml_v1.sdk_errors import error_of_answer
from app.targets.azureml_v1.sdk_pool import SdkPool
from app.targets.azureml_v1.sdk_wire import Outcome
from app.targets.azureml_v1.services import (
    RUNNING,
    SUCCEEDED,
    LiveService,
    V1Services,
)
from app.targets.azureml_v1.wanted import Health, Owner, Standing, Wanted
from app.targets.tokens import TokenSource

_FIRST_WAIT_SECONDS = 0.5
_LONGEST_WAIT_SECONDS = 5.0
# Image, scheduling and start of a service that is to be changed once they are over.
_LONGEST_MOVE_SECONDS = 3600.0
_MOST_STEPS = 4
_KEY_NAMES = {"primary_key": KeyName.PRIMARY, "secondary_key": KeyName.SECONDARY}


class V1Changes:
    """Creates, changes, replaces and deletes services; one caller a service at once."""

    def __init__(
        self, services: V1Services, pool: SdkPool, tokens: TokenSource, *, clock: Clock
    ) -> None:
        self._services = services
        self._pool = pool
        self._tokens = tokens
        self._clock = clock
        self._script = files(__package__).joinpath("scoring_script.py").read_text()

    async def bring(self, request: ApplyRequest, lease: Lease) -> None:
        """Begin to make the service what `request` wants, if it is not.

        Raises TargetError, `name_taken_at_target` for a service that is not ours, or
        LeaseLostError before a write.
        """
        wanted = Wanted.of(request, script=self._script)
        workspace, name = request.workspace, request.deployment_name
        for _ in range(_MOST_STEPS):
            lease.check()
            live = await self._services.find(workspace, name)
            match _standing(wanted, live), live:
                case Standing.ABSENT, _:
                    return await self._create(request, wanted, lease)
                case Standing.SAME, _:
                    return None
                case Standing.CHANGED, LiveService() if live.is_moving:
                    await self._until(live, _has_come_to_rest, lease)
                case Standing.CHANGED, LiveService():
                    return await self._update(request, wanted, live, lease)
                case Standing.TO_REPLACE, LiveService():
                    await self.remove(workspace, name, wanted.owner, lease)
                case _:
                    raise name_taken(name, live.document if live else {})
        raise still_busy(name)

    async def remove(
        self, workspace: Workspace, name: str, owner: Owner, lease: Lease
    ) -> None:
        """Delete the service and wait until it is gone, if it is still `owner`'s.

        Missing is success, and so is another's: ours is gone then.
        """
        for _ in range(_MOST_STEPS):
            live = await self._services.find(workspace, name)
            if live is None or not owner.owns(live.service.tags):
                return
            try:
                operation = await self._services.delete(live, lease)
            except TargetError as error:
                if error.failure.code is not FailureCode.TARGET_BUSY:
                    raise
                # Refused, so nothing was done: Azure is at work on it.
                await self._until(live, _has_come_to_rest, lease)
                continue
            if operation is not None:
                await self._until_done(workspace, operation, lease)
            await self._until(live, partial(_is_gone, owner), lease)
            return
        raise still_busy(name)

    async def set_key(
        self, live: LiveService, name: KeyName, value: str | None, lease: Lease
    ) -> None:
        """Replace a key, by `value` or by one that Azure makes, and wait for it."""
        operation = await self._services.set_key(live, name, value, lease)
        if operation is not None:
            await self._until_done(live.workspace, operation, lease)

    async def _create(
        self, request: ApplyRequest, wanted: Wanted, lease: Lease
    ) -> None:
        await self._ask(
            "deploy", create_arguments(request, wanted.tags), request, wanted, lease
        )

    async def _update(
        self, request: ApplyRequest, wanted: Wanted, live: LiveService, lease: Lease
    ) -> None:
        live = await self._with_keys(request, wanted, live, lease)
        tags = live.service.tags
        needs_image = not wanted.has_image(tags) or live.health is not Health.FINE
        arguments = update_arguments(
            request, wanted.tags, live.document, needs_image=needs_image
        )
        await self._ask("update", arguments, request, wanted, lease)

    async def _with_keys(
        self, request: ApplyRequest, wanted: Wanted, live: LiveService, lease: Lease
    ) -> LiveService:
        """Return the service once it has the keys that were given anew.

        Before the change itself, whose tags say that all of it was done.
        """
        new = wanted.new_keys(live.service.tags)
        if not new:
            return live
        if not live.asks_for_key:
            arguments = opening_arguments(request, live.service.tags)
            await self._ask("update", arguments, request, wanted, lease)
            live = await self._until(live, _has_come_to_rest, lease)
        for name in new:
            value = request.secrets[name]
            await self.set_key(live, _KEY_NAMES[name], value, lease)
        return await self._until(live, _has_come_to_rest, lease)

    async def _ask(
        self,
        operation: str,
        arguments: dict[str, Any],
        request: ApplyRequest,
        wanted: Wanted,
        lease: Lease,
    ) -> None:
        """Have azureml-core make a change, and find out whether it was made."""
        async with self._pool.lend(azure_identity(request.workspace)) as child:
            answer = await child.change(
                operation,
                {**arguments, "script": self._script},
                lease=lease,
                tokens=self._tokens,
            )
        if answer.outcome is Outcome.DONE:
            return
        live = await self._services.find(request.workspace, request.deployment_name)
        if live is not None and wanted.is_done(live.service.tags):
            return
        if live is not None and not wanted.owner.owns(live.service.tags):
            raise name_taken(request.deployment_name, live.document)
        raise error_of_answer(answer)

    async def _until(
        self,
        live: LiveService,
        is_reached: Callable[[LiveService | None], bool],
        lease: Lease,
    ) -> LiveService:
        """Return the service once it is so; look as long as Azure may take."""
        pause, until = _FIRST_WAIT_SECONDS, self._clock.monotonic()
        until += _LONGEST_MOVE_SECONDS
        while self._clock.monotonic() < until:
            lease.check()
            now = await self._services.find(live.workspace, live.name)
            if is_reached(now):
                return now or live
            await self._clock.sleep(pause)
            pause = min(pause * 1.5, _LONGEST_WAIT_SECONDS)
        raise still_busy(live.name)

    async def _until_done(
        self, workspace: Workspace, operation: str, lease: Lease
    ) -> None:
        """Return once a long-running operation has succeeded. Raises TargetError."""
        pause, until = _FIRST_WAIT_SECONDS, self._clock.monotonic()
        until += _LONGEST_MOVE_SECONDS
        while self._clock.monotonic() < until:
            lease.check()
            document = await self._services.operation(workspace, operation)
            state = document.get("state") if document else SUCCEEDED
            if state == SUCCEEDED:
                return
            if document and state not in RUNNING:
                raise operation_failed(document)
            await self._clock.sleep(pause)
            pause = min(pause * 1.5, _LONGEST_WAIT_SECONDS)
        raise still_busy(operation)


def _standing(wanted: Wanted, live: LiveService | None) -> Standing:
    if live is None:
        return wanted.standing(None, Health.FINE)
    return wanted.standing(live.service.tags, live.health)


def _is_gone(owner: Owner, live: LiveService | None) -> bool:
    return live is None or not owner.owns(live.service.tags)


def _has_come_to_rest(live: LiveService | None) -> bool:
    return live is None or not live.is_moving
