"""The engine's jobs by name; a name, once released, is kept for ever.

Ids only travel in a job's arguments: the records decide what is done.
"""

from datetime import datetime

from app.storage.jobs import Job

ADVANCE = "advance"
DELIVER = "deliver"
ANSWER = "answer"

OPERATIONS_QUEUE = "operations"
DELIVERIES_QUEUE = "deliveries"
INTERACTIVE_QUEUE = "interactive"


def advance(operation_id: str, endpoint_key: str, *, at: datetime | None = None) -> Job:
    """Return the job that owns one operation; a second one waits or is dropped."""
    return Job(
        task=ADVANCE,
        queue=OPERATIONS_QUEUE,
        args={"operation_id": operation_id},
        queueing_lock=operation_id,
        lock=endpoint_key,
        schedule_at=at,
    )


def deliver(delivery_id: str, *, at: datetime | None = None) -> Job:
    """Return the job of a delivery's next attempt, now or `at` a later time."""
    return Job(
        task=DELIVER,
        queue=DELIVERIES_QUEUE,
        args={"delivery_id": delivery_id},
        queueing_lock=delivery_id,
        lock=None,
        schedule_at=at,
    )


def answer(query_id: str) -> Job:
    """Return the job that answers a query."""
    return Job(
        task=ANSWER,
        queue=INTERACTIVE_QUEUE,
        args={"query_id": query_id},
        queueing_lock=query_id,
        lock=None,
    )
