"""How long a change of a service takes, in which steps, and how it ends."""

from dataclasses import dataclass

from app.simulator.service_failures import Failure, Stage
from app.simulator.service_operations import Ending, Plan, Step, SubOperation
from app.simulator.settings import SimulatorSettings

# Kubernetes gives up to schedule after this; public threads quote it as 00:05:00.
_SCHEDULING_SECONDS = 300
# A registry lookup and an upload of the definition.
_PREPARING_SECONDS = 4.0
_SUBMITTING_SECONDS = 3.0
_REGENERATION_SECONDS = 5.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Work:
    """What a create or an update has to do."""

    name: str
    is_update: bool
    needs_image: bool
    has_built_image: bool
    extra_seconds: float = 0
    failure: Failure | None = None


def deployment(work: Work, settings: SimulatorSettings) -> Plan:
    """Return the plan of a create or an update."""
    steps: list[Step] = []
    at = 1.0
    stage = work.failure.stage if work.failure else None
    ending = work.failure.ending if work.failure else Ending()
    if work.needs_image or stage is Stage.BUILD:
        at = _image(work, settings, steps)
    if stage is Stage.BUILD:
        return Plan(steps=tuple(steps), seconds=at, ending=ending)
    deploy = SubOperation.DEPLOY_SERVICE
    steps += [
        _step(at, "Generating deployment configuration.", deploy),
        _step(at + 1, "Submitting deployment to compute.", deploy),
    ]
    at += _SUBMITTING_SECONDS + work.extra_seconds
    if stage is Stage.SUBMIT:
        return Plan(steps=tuple(steps), seconds=at, ending=ending)
    steps.append(_step(at, f"Checking the status of deployment {work.name}..", deploy))
    if stage is Stage.SCHEDULE:
        at += _SCHEDULING_SECONDS
        return Plan(steps=tuple(steps), seconds=at, ending=ending)
    starting = settings.latency(
        "service-update" if work.is_update else "service-create"
    )
    text = f"Checking the status of inference endpoint {work.name}."
    steps.append(_step(at + 0.8 * starting, text, deploy))
    return Plan(steps=tuple(steps), seconds=at + starting, ending=ending)


def deletion(settings: SimulatorSettings, failure: Ending | None) -> Plan:
    """Return the plan of a deletion."""
    return Plan(
        steps=(_step(0, "Deleting the service.", SubOperation.DEPLOY_SERVICE),),
        seconds=settings.latency("service-delete"),
        ending=failure or Ending(service_state="Deleted"),
    )


def regeneration(service_state: str) -> Plan:
    """Return the plan of a new key, which leaves the service as it is."""
    return Plan(
        steps=(_step(0, "Regenerating the key.", SubOperation.DEPLOY_SERVICE),),
        seconds=_REGENERATION_SECONDS,
        ending=Ending(service_state=service_state),
    )


def _image(work: Work, settings: SimulatorSettings, steps: list[Step]) -> float:
    """Add the steps of the image and return when it is there."""
    build = SubOperation.BUILD_ENVIRONMENT
    steps += [
        _step(1, "Creating Container Registry if not exists.", build),
        _step(2, "Registering the environment.", build),
    ]
    is_failing = work.failure is not None and work.failure.stage is Stage.BUILD
    if work.has_built_image and not is_failing:
        steps.append(_step(3, "Use the existing image.", build))
        return _PREPARING_SECONDS
    steps.append(_step(_PREPARING_SECONDS, "Building image..", build))
    return _PREPARING_SECONDS + settings.latency("image-build")


def _step(after: float, text: str, sub: SubOperation) -> Step:
    return Step(after_seconds=after, text=text, sub_operation=sub)
