"""What can go wrong with a service after Azure accepted it, in Azure's own words.

The texts follow those in public issue threads: MachineLearningNotebooks 487, 808, 832
and 1207, MLOpsPython 127 and 258, azure-docs 74518 and 101234, azure-cli 23608.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from app.simulator.faults import Faults
from app.simulator.service_faults import Subject, take
from app.simulator.service_operations import Ending, OperationState


class Stage(StrEnum):
    """How far a deployment gets."""

    BUILD = "build"
    SUBMIT = "submit"
    SCHEDULE = "schedule"
    START = "start"


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """How a deployment fails, and at which stage."""

    stage: Stage
    ending: Ending


def struck(faults: Faults, subject: Subject, tags: Mapping[str, str]) -> Failure | None:
    """Return the failure that strikes this deployment, if any, and count it."""
    for name, failure in _FAILURES.items():
        if take(faults, name, subject, tags) is not None:
            return failure(subject)
    return None


def error_document(
    status: int, code: str, message: str, *details: tuple[str, str]
) -> dict[str, object]:
    """Return an error as operations and services show it."""
    document: dict[str, object] = {
        "code": code,
        "statusCode": status,
        "message": message,
    }
    if details:
        document["details"] = [
            {"code": each, "message": text} for each, text in details
        ]
    return document


def quota_reached(subject: Subject) -> Failure:
    """Return the refusal of Container Instances once its quota is used up."""
    message = (
        "ACI Service request failed. Reason: Resource type "
        "'Microsoft.ContainerInstance/containerGroups' container group quota "
        f"'StandardCores' exceeded in region '{subject.region}'. Limit: '100', "
        f"Usage: '100' Requested: '{subject.cpu:g}'."
    )
    error = error_document(409, "ContainerGroupQuotaReached", message)
    return _failed(Stage.SUBMIT, error)


def label_taken(subject: Subject, label: str) -> Failure:
    """Return the refusal of Container Instances of a DNS label that is in use."""
    message = (
        f"ACI Service request failed. Reason: The DNS name label '{label}' in "
        f"container group '{subject.name}' not available in region "
        f"'{subject.region}'."
    )
    return _failed(Stage.SUBMIT, error_document(400, "DnsNameLabelTaken", message))


def _image_build(_: Subject) -> Failure:
    message = (
        "Failed building the Environment. You can try debugging locally first. Please "
        "refer to https://aka.ms/debugimage#debug-locally for more information."
    )
    return _failed(Stage.BUILD, error_document(400, "EnvironmentBuildFailed", message))


def _crash_loop(subject: Subject) -> Failure:
    crashed = (
        "Your container application crashed. This may be caused by errors in your "
        "scoring file's init() function.\n"
        "\t1. Please check the logs for your container instance: "
        f"{subject.name}. From the AML SDK, you can run print(service.get_logs()) if "
        "you have service object to fetch the logs.\n"
        f"\t2. You can also try to run image {subject.image} locally. Please refer to "
        "https://aka.ms/debugimage#service-launch-fails for more information."
    )
    if subject.is_aks:
        code, message = "KubernetesDeploymentFailed", "Kubernetes Deployment failed"
    else:
        code = "AciDeploymentFailed"
        message = f"Aci Deployment failed with exception: {crashed}"
    error = error_document(400, code, message, ("CrashLoopBackOff", crashed))
    return _failed(Stage.START, error)


def _unschedulable(subject: Subject) -> Failure:
    if not subject.is_aks:
        return _out_of_capacity(subject)
    waited = (
        "Couldn't schedule because the kubernetes cluster didn't have available "
        "resources after trying for 00:05:00.\nYou can address this error by either "
        "adding more nodes, changing the SKU of your nodes or changing the resource "
        "requirements of your service.\nPlease refer to "
        "https://aka.ms/debugimage#container-cannot-be-scheduled for more information."
    )
    error = error_document(
        400,
        "KubernetesError",
        "Kubernetes Deployment Error",
        ("Unschedulable", "0/3 nodes are available: 3 Insufficient cpu."),
        ("DeploymentFailed", waited),
    )
    return _failed(Stage.SCHEDULE, error, "Unschedulable")


def _out_of_capacity(subject: Subject) -> Failure:
    message = (
        "The requested resource is not available in the location "
        f"'{subject.region}' at this moment. Please retry with a different resource "
        f"request or in another location. Resource requested: '{subject.cpu:g}' CPU "
        f"'{subject.memory_gb:g}' GB memory 'Linux' OS."
    )
    details = ("ServiceUnavailable", message)
    return _failed(Stage.SUBMIT, error_document(409, "OutOfCapacity", message, details))


def _internal_error(_: Subject) -> Failure:
    message = (
        "An internal server error occurred. Please try again. If the problem persists, "
        "contact support."
    )
    return _failed(Stage.SUBMIT, error_document(500, "InternalServerError", message))


def _unhealthy(_: Subject) -> Failure:
    message = (
        "Your container endpoint is not available. Please follow the steps to debug:\n"
        "1. From the AML SDK, you can run print(service.get_logs()) if you have "
        "service object to fetch the logs. Please refer to "
        "https://aka.ms/debugimage#dockerlog for more information."
    )
    error = error_document(
        400, "DeploymentFailed", "Deployment failed", ("DeploymentFailed", message)
    )
    return _failed(Stage.START, error, "Unhealthy")


def _timed_out(_: Subject) -> Failure:
    message = (
        "The deployment operation polling has TimedOut. The service creation is taking "
        "longer than our normal time. We are still trying to achieve the desired state "
        "for the web service. Please check the webservice state for the current "
        "webservice health. You can run print(service.state) from the python SDK to "
        "retrieve the current state of the webservice."
    )
    ending = Ending(
        state=OperationState.TIMED_OUT,
        service_state="Unhealthy",
        error=error_document(504, "DeploymentTimedOut", message),
    )
    return Failure(stage=Stage.START, ending=ending)


def _canceled(_: Subject) -> Failure:
    ending = Ending(
        state=OperationState.CANCELED,
        service_state="Failed",
        error=error_document(400, "OperationCanceled", "The operation was cancelled."),
    )
    return Failure(stage=Stage.SUBMIT, ending=ending)


def _forbidden(subject: Subject) -> Failure:
    client = "92e00f87-0000-4000-8000-5d72a1f160c2"
    message = (
        f"ACI Service request failed. Reason: The client '{client}' with object id "
        f"'{client}' does not have authorization to perform action "
        "'Microsoft.ContainerInstance/containerGroups/write' over scope "
        f"'{subject.resource_group_id}/providers/Microsoft.ContainerInstance/"
        f"containerGroups/{subject.name}' or the scope is invalid. If access was "
        "recently granted, please refresh your credentials."
    )
    ending = Ending(
        state=OperationState.FAILED,
        service_state="Transitioning",
        error=error_document(403, "AuthorizationFailed", message),
        hides_error=True,
    )
    return Failure(stage=Stage.SUBMIT, ending=ending)


def _inaccessible_image(subject: Subject) -> Failure:
    message = (
        f"ACI Service request failed. Reason: The image '{subject.image}' in container "
        f"group '{subject.name}' is not accessible. Please check the image and "
        "registry credential.. Refer to https://docs.microsoft.com/azure/"
        "container-registry/container-registry-authentication#admin-account and make "
        "sure Admin user is enabled for your container registry."
    )
    ending = Ending(
        state=OperationState.FAILED,
        service_state="Transitioning",
        error=error_document(400, "InaccessibleImage", message),
        hides_error=True,
        hides_sub_operation=True,
    )
    return Failure(stage=Stage.SUBMIT, ending=ending)


def _failed(
    stage: Stage, error: dict[str, object], service_state: str = "Failed"
) -> Failure:
    ending = Ending(
        state=OperationState.FAILED, service_state=service_state, error=error
    )
    return Failure(stage=stage, ending=ending)


_FAILURES: Mapping[str, Callable[[Subject], Failure]] = MappingProxyType(
    {
        "image-build-failure": _image_build,
        "crash-loop": _crash_loop,
        "unschedulable": _unschedulable,
        "quota": quota_reached,
        "out-of-capacity": _out_of_capacity,
        "internal-error": _internal_error,
        "unhealthy": _unhealthy,
        "timed-out": _timed_out,
        "cancelled": _canceled,
        "forbidden-as-transitioning": _forbidden,
        "inaccessible-image": _inaccessible_image,
    }
)
