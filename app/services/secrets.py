"""Secrets in options: a value is put away before anything else is done with it.

From then on the spec holds a reference. So no diff, event, answer, list, log or stored
request can show what it never had.
"""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.core.cluster_spec import AnyClusterSpec
from app.core.errors import FieldProblem, InvalidError
from app.core.principal import Principal
from app.core.secret import Secret, secrets_of
from app.core.specs import AnyTargetOptions, DeploymentSpec
from app.services.context import Context
from app.storage import secrets
from app.storage.database import Connection, Transaction
from app.storage.secrets import KeptSecret

# Stands for a value where only its presence matters; no record has this id.
_NOWHERE = "sec_" + "0" * 26


@dataclass(frozen=True, kw_only=True, slots=True)
class PutAway:
    """A spec without any value in it, and the new values as they are to be stored."""

    spec: DeploymentSpec
    new: Sequence[KeptSecret]

    async def store(self, tx: Transaction) -> None:
        """Store the new values; their deployment must stand already."""
        if self.new:
            await secrets.create(tx, self.new)


@dataclass(frozen=True, kw_only=True, slots=True)
class Holder:
    """The deployment, or the cluster, that options are for.

    `standing` is what it has now, if anything; `pointer` is where in a request they
    are.
    """

    deployment_id: str | None = None
    cluster_id: str | None = None
    principal: Principal
    standing: AnyTargetOptions | AnyClusterSpec | None = None
    pointer: str = "/target"

    @property
    def id(self) -> str:
        """Return the id of whichever of the two it is."""
        return self.deployment_id or self.cluster_id or ""


@dataclass(frozen=True, kw_only=True, slots=True)
class References:
    """By field what stands for each value, and the new values as they are stored."""

    by_field: Mapping[str, Secret]
    new: Sequence[KeptSecret]

    async def store(self, tx: Transaction) -> None:
        """Store the new values; their holder must stand already."""
        if self.new:
            await secrets.create(tx, self.new)


async def put_away(
    context: Context, connection: Connection, spec: DeploymentSpec, *, holder: Holder
) -> PutAway:
    """Return `spec` with a reference in place of every value; nothing is stored yet.

    A value sent before for the same field gets the reference that it has. Raises
    InvalidError for an undeclared name, and for a reference that does not stand there.
    """
    found = await references(context, connection, spec.target, holder=holder)
    if not found.by_field:
        return PutAway(spec=spec, new=())
    return PutAway(spec=_with_references(spec, found.by_field), new=found.new)


async def references(
    context: Context,
    connection: Connection,
    options: AnyTargetOptions | AnyClusterSpec,
    *,
    holder: Holder,
) -> References:
    """Return what is to stand for the values in `options`; nothing is stored yet.

    As `put_away` does, and raising the same.
    """
    given = secrets_of(options)
    if not given:
        return References(by_field={}, new=())
    _check(context, given, holder)
    values = {name: one.value for name, one in given.items() if one.value is not None}
    if not values:
        return References(by_field={}, new=())
    prints = {
        name: context.cipher.secret_fingerprints(_place(holder, name), value)
        for name, value in values.items()
    }
    known = await secrets.known(connection, holder.id, prints)
    new = [
        _kept(context, holder, name, value=value, fingerprint=prints[name][0])
        for name, value in values.items()
        if name not in known
    ]
    ids = {**known, **{one.field: one.id for one in new}}
    return References(
        by_field={name: Secret(kept=one) for name, one in ids.items()}, new=new
    )


def masked(spec: DeploymentSpec) -> DeploymentSpec:
    """Return `spec` for whoever need not know more than that there are secrets."""
    given = secrets_of(spec.target)
    if not given:
        return spec
    return _with_references(spec, dict.fromkeys(given, Secret(kept=_NOWHERE)))


async def reveal(
    context: Context,
    connection: Connection,
    options: AnyTargetOptions | AnyClusterSpec,
) -> Mapping[str, str]:
    """Return by field the values that `options` refer to; for a worker alone.

    Declared ones are left out: the worker reads those where the operator put them.
    """
    ids = {
        name: one.kept
        for name, one in secrets_of(options).items()
        if one.kept is not None
    }
    if not ids:
        return {}
    tokens = await secrets.tokens(connection, list(ids.values()))
    return {
        name: context.cipher.decrypt(secret_id, tokens[secret_id]).decode()
        for name, secret_id in ids.items()
        # One that is gone went with its deployment, and so did the need for it.
        if secret_id in tokens
    }


def _check(context: Context, given: Mapping[str, Secret], holder: Holder) -> None:
    problems = list(_problems(context, given, holder))
    if problems:
        raise InvalidError("A secret cannot be used here.", fields=problems)


def _problems(
    context: Context, given: Mapping[str, Secret], holder: Holder
) -> Iterator[FieldProblem]:
    standing = {} if holder.standing is None else secrets_of(holder.standing)
    project = holder.principal.project
    for name, one in given.items():
        if one.secret is not None and not context.declared_secrets.is_granted_to(
            one.secret, project
        ):
            yield FieldProblem(
                pointer=f"{holder.pointer}/{name}/secret",
                code="secret_unknown",
                detail="is not the name of a secret declared for this project",
            )
        stands = standing.get(name)
        if one.kept is not None and (stands is None or stands.kept != one.kept):
            yield FieldProblem(
                pointer=f"{holder.pointer}/{name}/kept",
                code="secret_not_kept",
                detail="is not what stands in this field",
            )


def _kept(
    context: Context, holder: Holder, name: str, *, value: str, fingerprint: str
) -> KeptSecret:
    secret_id = context.ids.new("sec")
    return KeptSecret(
        id=secret_id,
        project=holder.principal.project,
        deployment_id=holder.deployment_id,
        cluster_id=holder.cluster_id,
        field=name,
        fingerprint=fingerprint,
        token=context.cipher.encrypt(secret_id, value.encode()),
        created_by=holder.principal.name,
        created_at=context.clock.now(),
    )


def _with_references(
    spec: DeploymentSpec, references: Mapping[str, Any]
) -> DeploymentSpec:
    target = dataclasses.replace(spec.target, **references)
    return dataclasses.replace(spec, target=target)


def _place(holder: Holder, name: str) -> str:
    return f"{holder.id}/{name}"
