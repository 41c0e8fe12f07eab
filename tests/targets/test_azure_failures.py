"""Azure's errors as our failures: code, remedy, blame, and the true code within."""

import json
from typing import Any

import pytest

from app.core.failure import Blame, FailureCode
from app.targets.azure_answer import Answer
from app.targets.azure_failures import (
    AzureProblem,
    error_of,
    failure_of,
    problem_in_text,
    refused,
)
from app.targets.azure_generic_rules import ALL_RULES

# Every code of azure.md section 4 and features.md 1e, and what it is to our callers.
CODES: dict[str, FailureCode] = {
    "ImageBuildFailure": FailureCode.IMAGE_BUILD_FAILED,
    "EnvironmentBuildFailed": FailureCode.IMAGE_BUILD_FAILED,
    "OutOfQuota": FailureCode.QUOTA_EXCEEDED,
    "QuotaExceeded": FailureCode.QUOTA_EXCEEDED,
    "ContainerGroupQuotaReached": FailureCode.QUOTA_EXCEEDED,
    "OutOfCapacity": FailureCode.OUT_OF_CAPACITY,
    "BadArgument": FailureCode.OPTIONS_REFUSED,
    "InvalidDeploymentSpec": FailureCode.OPTIONS_REFUSED,
    "ResourceNotReady": FailureCode.TARGET_NOT_READY,
    "WorkspaceManagedNetworkNotReady": FailureCode.TARGET_NOT_READY,
    "ScoringFeUnhealthy": FailureCode.TARGET_NOT_READY,
    "ResourceNotFound": FailureCode.RESOURCE_NOT_FOUND,
    "EndpointNotFound": FailureCode.RESOURCE_NOT_FOUND,
    "RESOURCE_DOES_NOT_EXIST": FailureCode.RESOURCE_NOT_FOUND,
    "OperationCanceled": FailureCode.TARGET_CANCELED,
    "Cancelled": FailureCode.TARGET_CANCELED,
    "SecretsInjectionError": FailureCode.PERMISSION_DENIED,
    "AuthorizationFailed": FailureCode.PERMISSION_DENIED,
    "InternalServerError": FailureCode.TARGET_UNAVAILABLE,
    "InferencingClientCallFailed": FailureCode.TARGET_UNAVAILABLE,
    "ACRSecretError": FailureCode.IMAGE_PULL_FAILED,
    "ACRAuthenticationChallengeFailed": FailureCode.IMAGE_PULL_FAILED,
    "ACRTokenExchangeFailed": FailureCode.IMAGE_PULL_FAILED,
    "ImagePullLoopBackOff": FailureCode.IMAGE_PULL_FAILED,
    "InaccessibleImage": FailureCode.IMAGE_PULL_FAILED,
    "TokenRefreshFailed": FailureCode.CLUSTER_FAILED,
    "GetAADTokenFailed": FailureCode.CLUSTER_FAILED,
    "KubernetesUnaccessible": FailureCode.CLUSTER_FAILED,
    "NamespaceNotFound": FailureCode.CLUSTER_FAILED,
    "ComputeResourceNotCreated": FailureCode.CLUSTER_FAILED,
    "CrashLoopBackOff": FailureCode.CONTAINER_CRASHED,
    "DeploymentCrashLoopBackOff": FailureCode.CONTAINER_CRASHED,
    "KubernetesCrashLoopBackOff": FailureCode.CONTAINER_CRASHED,
    "UserScriptInitFailed": FailureCode.MODEL_LOAD_FAILED,
    "UserScriptImportError": FailureCode.MODEL_LOAD_FAILED,
    "UserScriptFunctionNotFound": FailureCode.MODEL_LOAD_FAILED,
    "EndpointAlreadyExists": FailureCode.NAME_TAKEN_AT_TARGET,
    "ServiceExists": FailureCode.NAME_TAKEN_AT_TARGET,
    "RESOURCE_ALREADY_EXISTS": FailureCode.NAME_TAKEN_AT_TARGET,
    "ValidateScoringFailed": FailureCode.VERIFICATION_FAILED,
    "PodUnschedulable": FailureCode.UNSCHEDULABLE,
    "Unschedulable": FailureCode.UNSCHEDULABLE,
    "PodOutOfMemory": FailureCode.OUT_OF_MEMORY,
    "DeploymentTimedOut": FailureCode.TARGET_TIMED_OUT,
    "TimedOut": FailureCode.TARGET_TIMED_OUT,
    "AciDeploymentFailed": FailureCode.TARGET_FAILED,
    "TooManyRequests": FailureCode.THROTTLED,
}


def failed(error: object, **more: Any) -> Any:  # noqa: ANN401
    return failure_of(AzureProblem(error=error, **more))


@pytest.mark.parametrize(("azure_code", "ours"), CODES.items())
@pytest.mark.parametrize("shape", ["arm", "mms", "mlflow"])
def test_every_known_code_is_recognised_in_every_shape(
    azure_code: str, ours: FailureCode, shape: str
) -> None:
    error = {
        "arm": {"error": {"code": azure_code, "message": "It broke."}},
        "mms": {"code": azure_code, "statusCode": 400, "message": "It broke."},
        "mlflow": {"error_code": azure_code, "message": "It broke."},
    }[shape]

    failure = failed(error, status=400)

    assert failure.code is ours
    assert failure.cause == "It broke."
    assert failure.evidence.azure_code == azure_code


def test_no_code_stands_in_two_rules() -> None:
    names = [code.lower() for rule in ALL_RULES for code in rule.codes]

    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("top", "details", "ours"),
    [
        (
            ("AciDeploymentFailed", "Aci Deployment failed."),
            [("CrashLoopBackOff", "Your container application crashed.")],
            FailureCode.CONTAINER_CRASHED,
        ),
        (
            ("KubernetesError", "Kubernetes Deployment Error"),
            [
                ("Unschedulable", "0/3 nodes are available: 3 Insufficient cpu."),
                ("DeploymentFailed", "Couldn't schedule."),
            ],
            FailureCode.UNSCHEDULABLE,
        ),
        (
            ("BadRequest", "The request is invalid."),
            [
                (
                    "InferencingClientCreateDeploymentFailed",
                    "Not enough quota available for Standard_DS3_v2.",
                )
            ],
            FailureCode.QUOTA_EXCEEDED,
        ),
        (
            ("OutOfCapacity", "The requested resource is not available."),
            [("ServiceUnavailable", "Please retry.")],
            FailureCode.OUT_OF_CAPACITY,
        ),
        (
            ("BadRequest", "The request is invalid."),
            [("BadArgument", "cpu is too large")],
            FailureCode.OPTIONS_REFUSED,
        ),
    ],
)
def test_the_true_code_is_found_inside_of_the_details(
    top: tuple[str, str], details: list[tuple[str, str]], ours: FailureCode
) -> None:
    error = {
        "code": top[0],
        "message": top[1],
        "details": [{"code": code, "message": text} for code, text in details],
    }

    assert failed(error, status=400).code is ours


def test_a_code_deep_inside_is_found_and_depth_without_end_is_not_followed() -> None:
    inner: dict[str, Any] = {"code": "PodOutOfMemory", "message": "OOMKilled"}
    found = {"error": {"code": "BadRequest", "innererror": {"details": [inner]}}}
    endless: dict[str, Any] = {"code": "BadRequest", "message": "m"}
    endless["details"] = [endless]

    # An object without a code or words of its own hides nothing below it.
    assert failed(found).code is FailureCode.OUT_OF_MEMORY
    assert failed(endless).code is FailureCode.OPTIONS_REFUSED


@pytest.mark.parametrize(
    ("message", "ours"),
    [
        (
            "The client 'x' does not have authorization to perform action 'y'",
            FailureCode.PERMISSION_DENIED,
        ),
        (
            "container group quota 'StandardCores' exceeded in region 'eastus2'.",
            FailureCode.QUOTA_EXCEEDED,
        ),
        (
            "The DNS name label 'a' in container group 'a' not available in region",
            FailureCode.NAME_TAKEN_AT_TARGET,
        ),
        ("ModuleNotFoundError: No module named 'x'", FailureCode.MODEL_LOAD_FAILED),
        (
            "The image 'a.azurecr.io/b' in container group 'c' is not accessible.",
            FailureCode.IMAGE_PULL_FAILED,
        ),
        (
            "Conflict of operation, another operation is running",
            FailureCode.TARGET_BUSY,
        ),
        (
            "Your container endpoint is not available.",
            FailureCode.TARGET_FAILED,
        ),
    ],
)
def test_the_words_tell_where_the_code_says_little(
    message: str, ours: FailureCode
) -> None:
    assert failed({"code": "DeploymentFailed", "message": message}).code is ours


@pytest.mark.parametrize(
    ("status", "ours", "is_transient"),
    [
        (400, FailureCode.OPTIONS_REFUSED, False),
        (401, FailureCode.CREDENTIAL_FAILED, True),
        (403, FailureCode.PERMISSION_DENIED, False),
        (404, FailureCode.RESOURCE_NOT_FOUND, False),
        (408, FailureCode.TARGET_UNAVAILABLE, True),
        (409, FailureCode.TARGET_BUSY, True),
        (429, FailureCode.THROTTLED, True),
        (500, FailureCode.TARGET_UNAVAILABLE, True),
        (504, FailureCode.TARGET_UNAVAILABLE, True),
        (599, FailureCode.TARGET_UNAVAILABLE, True),
        (307, FailureCode.TARGET_FAILED, False),
    ],
)
def test_a_status_alone_decides_where_azure_says_nothing(
    status: int, ours: FailureCode, *, is_transient: bool
) -> None:
    error = refused(Answer(status=status, correlation_ids=("c-1",)))

    assert error.failure.code is ours
    assert error.transient is is_transient
    assert error.failure.cause == f"Azure answered {status}."
    assert error.failure.evidence.correlation_ids == ("c-1",)


def test_a_failed_operation_is_judged_by_its_code_and_not_by_the_polls_200() -> None:
    error = error_of(
        AzureProblem(
            error={"code": "EnvironmentBuildFailed", "message": "pip failed"},
            status=200,
            log_tail=("ERROR: No matching distribution",),
        )
    )

    assert error.failure.code is FailureCode.IMAGE_BUILD_FAILED
    assert not error.transient
    assert error.failure.evidence.log_tail == ("ERROR: No matching distribution",)


@pytest.mark.parametrize(
    ("azure_code", "blame", "is_retryable"),
    [
        ("QuotaExceeded", Blame.QUOTA, True),
        ("AuthorizationFailed", Blame.SLIPWAY, True),
        ("OutOfCapacity", Blame.AZURE, True),
        ("CrashLoopBackOff", Blame.CALLER, False),
    ],
)
def test_the_blame_says_who_can_mend_it_and_whether_a_retry_may_help(
    azure_code: str, blame: Blame, *, is_retryable: bool
) -> None:
    failure = failed({"code": azure_code, "message": "m"})

    assert failure.blame is blame
    assert failure.retryable is is_retryable
    assert failure.remedy


@pytest.mark.parametrize(
    "error",
    [None, [], "text", 7, {}, {"error": None}, {"details": "x"}, {"code": 1}],
)
def test_an_error_of_any_shape_is_a_failure(error: object) -> None:
    assert failed(error).code is FailureCode.TARGET_FAILED


def test_a_code_with_controls_or_spaces_is_not_repeated_as_one() -> None:
    failure = failed({"code": "not a\x1b[31m code", "message": "bad\x1b[31m words"})

    assert failure.evidence.azure_code is None
    assert failure.cause == "bad words"


def test_what_azureml_core_puts_into_a_text_is_read_out_of_it() -> None:
    body = {
        "code": "Conflict",
        "statusCode": 409,
        "message": "Service diabetes-1 already exists.",
        "details": [],
    }
    text = (
        "Received bad response from Model Management Service:\n"
        "Response Code: 409\n"
        "Headers: {'x-ms-request-id': '0f5e1c7a-9b3d-4e6f-8a2b-4c6d8e0f1a3b'}\n"
        f"Content: {json.dumps(body).encode()!r}"
    )

    problem = problem_in_text(text)
    failure = failure_of(problem)

    assert problem.status == 409
    assert failure.code is FailureCode.NAME_TAKEN_AT_TARGET
    assert failure.cause == "Service diabetes-1 already exists."
    assert failure.evidence.correlation_ids == ("0f5e1c7a-9b3d-4e6f-8a2b-4c6d8e0f1a3b",)


def test_a_text_without_a_body_is_judged_by_its_words() -> None:
    problem = problem_in_text("Status: 403. No authorization.")

    assert problem.status == 403
    assert failure_of(problem).code is FailureCode.PERMISSION_DENIED
