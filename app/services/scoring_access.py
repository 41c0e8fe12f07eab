"""What scoring calls are let in with: asked of a worker, held briefly, never stored."""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field
from weakref import WeakValueDictionary

from app.core.authentication import Authentication, authentication_of
from app.core.deployment import Deployment
from app.core.errors import AuthDisabledError
from app.core.principal import Principal
from app.core.specs import LocalOptions
from app.services import endpoint_keys
from app.services.context import Context
from app.storage import revisions

# How long a key is used before it is asked for again, at most.
_HELD_FOR_SECONDS = 60.0
# A token is not used up to its very end: a scoring call may take as long.
_TOKEN_MARGIN_SECONDS = 60.0
_MOST_HELD = 1000


@dataclass(frozen=True, kw_only=True, slots=True)
class _Held:
    revision: int | None
    until: float
    authorization: str | None = field(repr=False)


class ScoringAccess:
    """The Authorization headers of endpoints, in this process's memory alone.

    Calls that need the same one at once ask for it once.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._held: OrderedDict[str, _Held] = OrderedDict()
        self._asking: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def authorization(
        self, deployment: Deployment, *, principal: Principal
    ) -> str | None:
        """Return the header that lets a call in; None where nothing is asked for.

        Raises what asking a worker for keys or tokens raises.
        """
        if isinstance(deployment.spec.target, LocalOptions):
            return None
        lock = self._asking.setdefault(deployment.id, asyncio.Lock())
        async with lock:
            held = self._held.get(deployment.id)
            if held is None or not self._is_good(held, deployment):
                held = await self._ask(deployment, principal)
                self._hold(deployment.id, held)
        return held.authorization

    def forget(self, deployment_id: str, authorization: str) -> None:
        """Ask anew next time, unless that was done since."""
        held = self._held.get(deployment_id)
        if held is not None and held.authorization == authorization:
            del self._held[deployment_id]

    def _is_good(self, held: _Held, deployment: Deployment) -> bool:
        is_fresh = self._context.clock.monotonic() < held.until
        return is_fresh and held.revision == deployment.serving_revision

    def _hold(self, deployment_id: str, held: _Held) -> None:
        self._held[deployment_id] = held
        self._held.move_to_end(deployment_id)
        if len(self._held) > _MOST_HELD:
            self._held.popitem(last=False)

    async def _ask(self, deployment: Deployment, principal: Principal) -> _Held:
        try:
            authorization, seconds = await self._found(deployment, principal)
        except AuthDisabledError:
            # Whatever the spec says: what stands there lets everybody in.
            authorization, seconds = None, _HELD_FOR_SECONDS
        return _Held(
            revision=deployment.serving_revision,
            until=self._context.clock.monotonic() + seconds,
            authorization=authorization,
        )

    async def _found(
        self, deployment: Deployment, principal: Principal
    ) -> tuple[str | None, float]:
        """Return the header, and for how many seconds it may be held."""
        context = self._context
        match await self._wanted(deployment):
            case Authentication.NONE:
                return None, _HELD_FOR_SECONDS
            case Authentication.KEY:
                keys = await endpoint_keys.keys(
                    context, deployment.id, principal=principal
                )
                return f"Bearer {keys.primary}", _HELD_FOR_SECONDS
            case Authentication.TOKEN:
                token = await endpoint_keys.token(
                    context, deployment.id, principal=principal
                )
                left = (token.expires_at - context.clock.now()).total_seconds()
                seconds = min(_HELD_FOR_SECONDS, left - _TOKEN_MARGIN_SECONDS)
                return f"Bearer {token.value}", seconds

    async def _wanted(self, deployment: Deployment) -> Authentication:
        number = deployment.serving_revision
        if number is None:
            return authentication_of(deployment.spec.target)
        async with self._context.database.reading() as connection:
            serving = await revisions.get(connection, deployment.id, number)
        return authentication_of(serving.spec.target)
