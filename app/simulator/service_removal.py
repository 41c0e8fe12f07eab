"""Deleting services."""

from app.simulator.quotas import CONTAINERS, Quotas
from app.simulator.running_models import RunningModels
from app.simulator.service_documents import AKS, texts
from app.simulator.service_failures import error_document
from app.simulator.service_operations import Ending, OperationState, ServiceOperation
from app.simulator.service_plans import deletion
from app.simulator.services import ServiceBook, ServiceRecord, succeeded


def remove(book: ServiceBook, name: str) -> ServiceOperation | None:
    """Delete a service: at once (None) or by an operation where a cluster holds it.

    409 while another operation is at it.
    """
    record, world = book.idle(name), book.workspace.world
    fault = world.faults.take(
        "delete-failure",
        tags=texts(record.document, "kvTags"),
        service=record.name,
        workspace=book.workspace.name,
        compute_type=record.compute_type,
    )
    if record.compute_type != AKS and fault is None:
        _forget(book, record)
        return None
    state = record.state
    record.state = "Transitioning"
    failure = None
    if fault is not None:
        message = "The service could not be deleted from its compute."
        failure = Ending(
            state=OperationState.FAILED,
            service_state=state,
            error=error_document(500, "ServiceDeletionFailed", message),
        )

    def finish(ending: Ending) -> None:
        if succeeded(ending):
            _forget(book, record)
        else:
            record.state, record.error = ending.service_state, ending.error

    return book.begin(record, deletion(world.settings, failure), finish)


def _forget(book: ServiceBook, record: ServiceRecord) -> None:
    region = str(record.document.get("location") or book.workspace.region)
    quotas = book.workspace.world.part(Quotas)
    place = (book.workspace.subscription, region)
    quotas.take(place, CONTAINERS, "StandardCores", -record.cores_held)
    book.workspace.world.part(RunningModels).release(record)
    book.remove(record)
