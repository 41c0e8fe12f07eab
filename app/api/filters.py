"""The filters of lists of deployments, as query parameters."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated

from fastapi import Depends, Query
from pydantic import AwareDatetime

from app.api.deps import Reader
from app.core.errors import FieldProblem, InvalidError
from app.core.lifecycle import DeploymentState, OperationState
from app.storage.listing import DeploymentFilter, Sort

_Name = Annotated[str | None, Query(max_length=256)]
_MOST_TAGS = 20


async def _places(
    caller: Reader,
    workspace: _Name = None,
    name: _Name = None,
    target: Annotated[str | None, Query(description="Its kind, as in `local`.")] = None,
    model: Annotated[
        str | None, Query(max_length=2048, description="Registered name, or a URI.")
    ] = None,
    project: Annotated[
        str | None, Query(description="A key sees its own project alone.")
    ] = None,
) -> DeploymentFilter:
    return DeploymentFilter(
        project=caller.project,
        only_project=project,
        workspace=workspace,
        name=name,
        model=model,
        target=target,
    )


async def _filters(  # noqa: PLR0913 - one argument a parameter
    places: Annotated[DeploymentFilter, Depends(_places)],
    *,
    state: Annotated[Sequence[DeploymentState], Query()] = (),
    operation_state: Annotated[
        Sequence[OperationState], Query(description="Of the latest operation.")
    ] = (),
    tag: Annotated[
        Sequence[str],
        Query(description="`key:value`; several must all hold.", max_length=_MOST_TAGS),
    ] = (),
    created_by: _Name = None,
    created_after: Annotated[AwareDatetime | None, Query()] = None,
    updated_after: Annotated[AwareDatetime | None, Query()] = None,
) -> DeploymentFilter:
    return replace(
        places,
        states=state,
        operation_states=operation_state,
        tags=_tags(tag),
        created_by=created_by,
        created_after=created_after,
        updated_after=updated_after,
    )


async def _sort(
    sort: Annotated[Sort, Query(description="A minus puts the last first.")] = (
        Sort.CREATED_AT_DOWN
    ),
) -> Sort:
    return sort


Filters = Annotated[DeploymentFilter, Depends(_filters)]
Sorted = Annotated[Sort, Depends(_sort)]


def _tags(given: Sequence[str]) -> Mapping[str, str]:
    tags: dict[str, str] = {}
    for text in given:
        key, colon, value = text.partition(":")
        if not colon or not key:
            raise _wrong("tag", "must be written as key:value")
        if tags.setdefault(key, value) != value:
            raise _wrong("tag", "asks for one key with two values")
    return tags


def _wrong(name: str, detail: str) -> InvalidError:
    problem = FieldProblem(pointer=f"/query/{name}", code="bad_filter", detail=detail)
    return InvalidError("A filter cannot be read.", fields=[problem])
