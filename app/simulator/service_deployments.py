"""Creating and updating services: checks now, work over simulated time."""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence

from app.simulator.patches import Patch
from app.simulator.paths import bad_request, text_of
from app.simulator.quotas import CONTAINERS, Quotas
from app.simulator.service_addresses import label_holder, scoring_uri
from app.simulator.service_checks import check_identity, check_references
from app.simulator.service_documents import (
    AKS,
    Document,
    complete,
    section,
    texts,
)
from app.simulator.service_failures import (
    Failure,
    Stage,
    label_taken,
    quota_reached,
    struck,
)
from app.simulator.service_faults import Subject, take
from app.simulator.service_images import Images
from app.simulator.service_logs import container_log, crash_log
from app.simulator.service_operations import Ending, ServiceOperation
from app.simulator.service_patching import changed
from app.simulator.service_plans import Work, deployment
from app.simulator.service_rules import check_document
from app.simulator.services import Keys, ServiceBook, ServiceRecord, succeeded

_CORES = "StandardCores"
# An environment's image does not depend on these parts of it.
_IMAGE_FREE = frozenset({"name", "version", "environmentVariables"})


def create(book: ServiceBook, body: Mapping[str, object]) -> ServiceOperation:
    """Start to create a service; 409 where the name is taken and not overwritten."""
    name, compute_type = check_identity(book, body)
    document = complete(compute_type, body, book.workspace.region)
    check_document(compute_type, document)
    check_references(book, compute_type, document)
    record = book.find(name)
    if record is not None:
        _replace(book, record, body, document)
    else:
        now = book.workspace.world.clock.now()
        record = ServiceRecord(
            id=book.workspace.world.new_id(),
            name=name,
            compute_type=compute_type,
            document=document,
            keys=Keys.new(),
            created_at=now,
            updated_at=now,
        )
        book.add(record)
    _set_keys(record, section(body, "keys"))
    tags = texts(body, "kvTags")
    return _deploy(book, record, tags, needs_image=True, is_update=record.is_serving)


def update(book: ServiceBook, name: str, patches: Sequence[Patch]) -> ServiceOperation:
    """Start to update a service; 409 while another operation is at it."""
    record = book.idle(name)
    document = changed(record.compute_type, record.document, patches)
    if not record.is_planted:
        check_document(record.compute_type, document)
        check_references(book, record.compute_type, document)
    record.document = document
    touched = {patch.field for patch in patches}
    # A fault strikes the request that names it, not each one that comes after it.
    tags = texts(document, "kvTags") if "kvTags" in touched else {}
    needs_image = bool(touched & {"environmentImageRequest", "imageId"})
    return _deploy(book, record, tags, needs_image=needs_image, is_update=True)


def _replace(
    book: ServiceBook,
    record: ServiceRecord,
    body: Mapping[str, object],
    document: Document,
) -> None:
    book.idle(record.name)
    if record.compute_type != (text_of(body, "computeType") or "").upper():
        raise bad_request(
            "NonReplacableService", "A service cannot move to another compute type."
        )
    record.document = document


def _set_keys(record: ServiceRecord, given: Mapping[str, object]) -> None:
    record.keys.primary = text_of(given, "primaryKey") or record.keys.primary
    record.keys.secondary = text_of(given, "secondaryKey") or record.keys.secondary


def _deploy(
    book: ServiceBook,
    record: ServiceRecord,
    tags: Mapping[str, str],
    *,
    needs_image: bool,
    is_update: bool,
) -> ServiceOperation:
    world, key = book.workspace.world, _image_key(record.document)
    subject, images = _subject(book, record, key), book.workspace.part(Images)
    failure = struck(world.faults, subject, tags) or _refusal(book, record, subject)
    slow = take(world.faults, "transitioning-long", subject, tags)
    later = take(world.faults, "unhealthy-later", subject, tags)
    work = Work(
        name=record.name,
        is_update=is_update,
        needs_image=needs_image,
        has_built_image=images.has(key),
        extra_seconds=slow.number("seconds", 7200) if slow else 0,
        failure=failure,
    )
    record.state, record.error, record.unhealthy_at_seconds = (
        "Transitioning",
        None,
        None,
    )
    plan = deployment(work, world.settings)
    ends_at_seconds = world.clock.seconds() + plan.seconds

    def finish(ending: Ending) -> None:
        _end(book, record, ending, failure)
        if later and succeeded(ending):
            wait = later.number("seconds", 60)
            record.unhealthy_at_seconds = ends_at_seconds + wait

    operation = book.begin(record, plan, finish)
    is_broken = failure is not None and failure.stage is Stage.BUILD
    if operation.build_log_uri:
        images.build(key, subject.image, operation, is_broken=is_broken)
    return operation


def _refusal(
    book: ServiceBook, record: ServiceRecord, subject: Subject
) -> Failure | None:
    """Return how Container Instances refuses the service, if it does."""
    if subject.is_aks:
        return None
    label = record.document.get("dnsNameLabel")
    holder = label_holder(book.workspace.world, subject.region, str(label))
    if label and holder is not None and holder is not record:
        return label_taken(subject, str(label))
    place = (book.workspace.subscription, subject.region)
    needed = math.ceil(subject.cpu) - record.cores_held
    quotas = book.workspace.world.part(Quotas)
    if not quotas.take(place, CONTAINERS, _CORES, needed):
        return quota_reached(subject)
    record.cores_held += needed
    return None


def _end(
    book: ServiceBook,
    record: ServiceRecord,
    ending: Ending,
    failure: Failure | None,
) -> None:
    now = record.updated_at
    record.state = ending.service_state
    record.error = None if ending.hides_error else ending.error
    if succeeded(ending):
        record.models = record.wanted_models
        record.is_serving = True
        if not record.is_planted:
            record.scoring_uri = scoring_uri(book.workspace, record)
        record.container_log = container_log(now, list(record.models))
    elif failure is not None and failure.stage is Stage.START:
        is_crash = ending.service_state == "Failed"
        record.container_log = (
            crash_log(now) if is_crash else container_log(now, list(record.models))
        )
        # Kubernetes keeps the old pods until new ones are ready.
        record.is_serving = record.is_serving and record.compute_type == AKS


def _image_key(document: Document) -> str:
    environment = section(section(document, "environmentImageRequest"), "environment")
    parts = {
        name: value for name, value in environment.items() if name not in _IMAGE_FREE
    }
    text = json.dumps([parts, document.get("imageId")], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _subject(book: ServiceBook, record: ServiceRecord, key: str) -> Subject:
    workspace = book.workspace
    resources = section(record.document, "containerResourceRequirements")
    cpu, memory = resources.get("cpu"), resources.get("memoryInGB")
    return Subject(
        name=record.name,
        workspace=workspace.name,
        is_aks=record.compute_type == AKS,
        region=str(record.document.get("location") or workspace.region),
        resource_group_id=(
            f"/subscriptions/{workspace.subscription}/resourcegroups/{workspace.group}"
        ),
        image=f"{workspace.registry_name}.azurecr.io/azureml/azureml_{key}",
        cpu=cpu if isinstance(cpu, int | float) else 0.1,
        memory_gb=memory if isinstance(memory, int | float) else 0.5,
    )
