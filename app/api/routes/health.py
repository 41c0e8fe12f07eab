"""Probes, without a key: whether the process lives, and whether it may be used."""

from fastapi import APIRouter, Request

from app.api.documents import refused, shown
from app.api.parts import parts_of
from app.core.errors import UnavailableError

router = APIRouter(tags=["health"])

_OK = {"status": "ok"}


@router.get(
    "/livez",
    summary="Is the process alive?",
    responses=shown(200, "It serves requests.", {"alive": _OK}),
)
async def livez() -> dict[str, str]:
    """Answer as long as the process can; a broken database is no reason to kill it."""
    return _OK


@router.get(
    "/readyz",
    summary="May requests be sent here?",
    responses=shown(200, "The database answers, with the right schema.", {"ok": _OK})
    | refused(UnavailableError),
)
@router.get(
    "/startupz",
    summary="Has the process started?",
    responses=shown(200, "The database answers, with the right schema.", {"ok": _OK})
    | refused(UnavailableError),
)
async def readyz(request: Request) -> dict[str, str]:
    """Answer 503 until the database is reachable and migrated, and while draining."""
    parts = parts_of(request)
    if parts.stopping.is_set():
        raise UnavailableError("This process is stopping.")
    await parts.readiness.check()
    return _OK
