"""Queries: questions to a worker and their answers, encrypted and short-lived."""

from datetime import datetime

from sqlalchemy import delete, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app.storage.tables import QUERIES

CHANNEL = "slipway_queries"


async def ask(
    tx: AsyncConnection,
    query_id: str,
    *,
    kind: str,
    question: bytes,
    project: str,
    created_by: str,
) -> None:
    """Insert a question; the job that answers it is deferred beside it."""
    await tx.execute(
        insert(QUERIES).values(
            id=query_id,
            kind=kind,
            question=question,
            project=project,
            created_by=created_by,
        )
    )


async def question(
    connection: AsyncConnection, query_id: str
) -> tuple[str, bytes] | None:
    """Return kind and encrypted question; None if nobody waits any more."""
    statement = select(QUERIES.c.kind, QUERIES.c.question).where(
        QUERIES.c.id == query_id, QUERIES.c.answer.is_(None)
    )
    row = (await connection.execute(statement)).first()
    return None if row is None else (row.kind, bytes(row.question))


async def reply(tx: AsyncConnection, query_id: str, answer: bytes) -> None:
    """Store the encrypted answer and wake whoever waits for it."""
    await tx.execute(
        update(QUERIES).where(QUERIES.c.id == query_id).values(answer=answer)
    )
    await tx.execute(
        text("SELECT pg_notify(:channel, :id)").bindparams(channel=CHANNEL, id=query_id)
    )


async def take(tx: AsyncConnection, query_id: str) -> bytes | None:
    """Return the answer and delete the query; None while there is none."""
    statement = (
        delete(QUERIES)
        .where(QUERIES.c.id == query_id, QUERIES.c.answer.is_not(None))
        .returning(QUERIES.c.answer)
    )
    row = (await tx.execute(statement)).first()
    return None if row is None else bytes(row.answer)


async def forget(tx: AsyncConnection, query_id: str) -> None:
    """Delete a query that nobody waits for any more."""
    await tx.execute(delete(QUERIES).where(QUERIES.c.id == query_id))


async def prune(tx: AsyncConnection, *, before: datetime) -> None:
    """Delete queries whose asker died before it read the answer."""
    await tx.execute(delete(QUERIES).where(QUERIES.c.created_at < before))
