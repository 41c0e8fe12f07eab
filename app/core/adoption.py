"""A web service that stands at Azure already, read as what would have made it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from app.core.specs import TargetOptions
from app.core.target import ResolvedModel
from app.core.workspace import Workspace


@dataclass(frozen=True, kw_only=True, slots=True)
class StandingService:
    """A v1 web service: its options, its one model, and where it answers.

    Its keys and certificates are not among the options: Azure keeps those.
    """

    name: str
    state: str
    options: TargetOptions
    model: ResolvedModel
    description: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    properties: Mapping[str, str] = field(default_factory=dict)
    scoring_uri: str | None = None
    swagger_uri: str | None = None


class ServiceReader(Protocol):
    """Reads single web services of a workspace; changes nothing."""

    async def read_service(self, workspace: Workspace, name: str) -> StandingService:
        """Return the service of that name.

        Raises NotFoundError if there is none, and NotSupportedError, which says why,
        for one that cannot be adopted: marked as Slipway's already, not healthy, of
        another kind, without exactly one registered model, or with options that no
        request can have. Raises TargetError if Azure does not tell.
        """
        ...
