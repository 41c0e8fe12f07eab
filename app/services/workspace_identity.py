"""Which place a workspace is, and whether the operator lets it be used."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import assert_never

from app.core.errors import FieldProblem, InvalidError
from app.core.requests import PutAzureMlWorkspace, PutMlflowWorkspace, PutWorkspace
from app.core.workspace import (
    AnyWorkspaceIdentity,
    AzureMlWorkspace,
    MlflowWorkspace,
)
from app.services.context import Context
from app.targets.store_locations import StoreLocation, check_store_uri
from app.webhooks.addresses import Resolver, ensure_reachable_address


async def read_identity(
    context: Context, request: PutWorkspace, *, resolver: Resolver
) -> AnyWorkspaceIdentity:
    """Return which place is asked for, or raise InvalidError naming the wrong field.

    An address must be one that callers may reach, a path must lie in a local store,
    and a credential must be declared for all who would use it, on that workspace.
    """
    match request:
        case PutMlflowWorkspace():
            return await _mlflow(context, request, resolver=resolver)
        case PutAzureMlWorkspace():
            return _azureml(context, request)
        case _:
            assert_never(request)


def is_same_place(one: AnyWorkspaceIdentity, other: AnyWorkspaceIdentity) -> bool:
    """Say whether both name one place; a credential is how it is reached, not where.

    Azure compares its names without regard to case.
    """
    match one, other:
        case AzureMlWorkspace(), AzureMlWorkspace():
            return (one.arm_id, one.region, one.cloud) == (
                other.arm_id,
                other.region,
                other.cloud,
            )
        case _:
            return one == other


async def _mlflow(
    context: Context, request: PutMlflowWorkspace, *, resolver: Resolver
) -> MlflowWorkspace:
    return MlflowWorkspace(
        tracking_uri=await _read(
            context, request.tracking_uri, resolver=resolver, pointer="/tracking_uri"
        ),
        registry_uri=None
        if request.registry_uri is None
        else await _read(
            context, request.registry_uri, resolver=resolver, pointer="/registry_uri"
        ),
    )


def _azureml(context: Context, request: PutAzureMlWorkspace) -> AzureMlWorkspace:
    problems = list(_credential_problems(context, request))
    if problems:
        raise InvalidError(
            "The credential cannot be used for this workspace.",
            fields=problems,
            remedy="Name a credential that the operator declared in "
            "SLIPWAY_CREDENTIALS for these projects and this workspace.",
        )
    names = (one.name for one in dataclasses.fields(AzureMlWorkspace))
    return AzureMlWorkspace(**{name: getattr(request, name) for name in names})


def _credential_problems(
    context: Context, request: PutAzureMlWorkspace
) -> Iterator[FieldProblem]:
    declared = context.credentials.by_name.get(request.credential)
    if declared is None:
        yield _problem("credential_unknown", "is not the name of a declared credential")
        return
    if declared.projects is not None:
        allowed = frozenset(declared.projects)
        if request.projects is None or not allowed.issuperset(request.projects):
            yield _problem(
                "credential_not_granted",
                "is not declared for every project that the workspace is granted to",
            )
    if not context.credentials.reaches(request.credential, request.arm_id):
        yield _problem(
            "credential_out_of_scope", "is not declared for this workspace at Azure"
        )


def _problem(code: str, detail: str) -> FieldProblem:
    return FieldProblem(pointer="/credential", code=code, detail=detail)


async def _read(context: Context, uri: str, *, resolver: Resolver, pointer: str) -> str:
    stores = [Path(path) for path in context.local_stores]
    found: StoreLocation = check_store_uri(uri, local_stores=stores, pointer=pointer)
    if found.origin is not None:
        # Plain http is allowed here: a tracking server inside a company often has
        # nothing else, and the operator's list of networks still decides.
        policy = dataclasses.replace(context.address_policy, allow_http=True)
        await ensure_reachable_address(uri, policy, resolver=resolver, pointer=pointer)
    return found.uri
