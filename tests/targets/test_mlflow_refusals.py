"""What a refusal of Azure means, whatever the library made of it."""

import pytest
from azure.core.exceptions import ServiceRequestError

from app.core.failure import FailureCode, TargetError
from app.targets.mlflow_refusals import LastAnswer, Refusals

_CUT = ServiceRequestError("with url: /azureml/m?sv=1&sig=secret (Caused by X)")


def _read(
    status: int | None, *, code: str | None = None, is_old_token: bool = False
) -> TargetError | None:
    last = LastAnswer()
    last.status, last.request_id = status, "id-1"
    return Refusals(last=last).read(_CUT, code=code, is_old_token=is_old_token)


@pytest.mark.parametrize("status", [None, 401, 403, 429, 500, 503])
def test_no_signature_of_a_storage_address_is_quoted(status: int | None) -> None:
    error = _read(status)

    assert error is not None
    assert "secret" not in str(error.failure)
    assert "/azureml/m?" in str(error.failure.cause)
    assert error.failure.evidence.correlation_ids == ("id-1",)


@pytest.mark.parametrize("is_old_token", [True, False])
def test_only_of_a_token_that_is_over_its_refusal_says_nothing(
    *, is_old_token: bool
) -> None:
    error = _read(401, is_old_token=is_old_token)

    assert error is not None
    assert error.failure.code is FailureCode.CREDENTIAL_FAILED
    assert error.transient is is_old_token


@pytest.mark.parametrize(
    "code", ["RESOURCE_DOES_NOT_EXIST", "ENDPOINT_NOT_FOUND", "NOT_FOUND"]
)
def test_a_missing_model_is_left_to_mlflow_s_own_words(code: str) -> None:
    assert _read(404, code=code) is None


def test_any_other_404_is_about_the_workspace() -> None:
    error = _read(404, code="ResourceNotFound")

    assert error is not None
    assert error.failure.code is FailureCode.WORKSPACE_NOT_FOUND


def test_an_error_that_is_neither_azure_s_nor_mlflow_s_is_left_alone() -> None:
    last = LastAnswer()
    last.status = 503

    assert Refusals(last=last).read(OSError(), code=None, is_old_token=False) is None
