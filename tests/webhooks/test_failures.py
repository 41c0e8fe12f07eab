"""What is told about a failed attempt."""

import ssl

import httpcore
import httpx
import pytest

from app.webhooks.failures import FAILURES, AttemptErrorCode, explain


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (TimeoutError(), AttemptErrorCode.TIMED_OUT),
        (httpcore.ConnectTimeout(), AttemptErrorCode.TIMED_OUT),
        (httpcore.RemoteProtocolError(), AttemptErrorCode.PROTOCOL_FAILED),
        (httpcore.ReadError(), AttemptErrorCode.CONNECT_FAILED),
        (ConnectionResetError(104, "reset"), AttemptErrorCode.CONNECT_FAILED),
        (ssl.SSLError(1, "handshake"), AttemptErrorCode.TLS_FAILED),
        (httpx.InvalidURL("evil"), AttemptErrorCode.URL_REFUSED),
    ],
)
def test_every_kind_of_failure_has_a_code_and_a_sentence(
    error: Exception, code: AttemptErrorCode
) -> None:
    failure = explain(error)

    assert isinstance(error, FAILURES)
    assert failure.code is code
    assert failure.text.endswith(".")
    assert "evil" not in failure.text
