"""What a child process may send, request by request."""

import time

import pytest
import requests

from app.targets.azure_cloud import HOSTS
from app.targets.azureml_v1.permit import (
    LeaseRanOutError,
    Permit,
    RepeatedWriteError,
    TokenAstrayError,
)

_ARM = "https://management.azure.com/subscriptions"


def _permit(*, lease_seconds: float | None = None) -> Permit:
    permit = Permit()
    permit.begin(HOSTS["AzureCloud"].owns)
    until = None if lease_seconds is None else time.monotonic() + lease_seconds
    permit.renew(lease_until=until, token="token")  # noqa: S106 - a test's own
    return permit


def _request(
    method: str, url: str, *, with_token: bool = True
) -> requests.PreparedRequest:
    headers = {"Authorization": "Bearer token"} if with_token else {}
    return requests.Request(method, url, headers=headers).prepare()


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_read_needs_no_lease(method: str) -> None:
    assert _permit().seconds_for(_request(method, _ARM)) > 0


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("lease_seconds", [None, -1.0, 0.5])
def test_a_write_without_time_is_not_started(
    method: str, lease_seconds: float | None
) -> None:
    permit = _permit(lease_seconds=lease_seconds)

    with pytest.raises(LeaseRanOutError):
        permit.seconds_for(_request(method, _ARM))

    assert permit.ran_out


def test_a_write_takes_no_longer_than_the_lease_lasts() -> None:
    seconds = _permit(lease_seconds=5).seconds_for(_request("POST", _ARM))

    assert 4 < seconds <= 5


def test_a_renewed_lease_lets_a_write_through() -> None:
    permit = _permit(lease_seconds=-1)

    permit.renew(lease_until=time.monotonic() + 30, token=None)

    assert permit.seconds_for(_request("POST", _ARM)) > 25
    assert permit.token == "token"  # noqa: S105 - a test's own


def test_a_new_request_begins_without_the_lease_of_the_one_before() -> None:
    permit = _permit(lease_seconds=30)

    permit.begin(HOSTS["AzureCloud"].owns)

    with pytest.raises(LeaseRanOutError):
        permit.seconds_for(_request("POST", _ARM))


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example.com/subscriptions",
        "https://management.azure.com.example.com/",
        "http://management.azure.com/",
        "https://account.blob.core.windows.net/container/blob",
    ],
)
def test_the_token_goes_to_azures_own_hosts_alone(url: str) -> None:
    with pytest.raises(TokenAstrayError):
        _permit(lease_seconds=30).seconds_for(_request("GET", url))


def test_storage_is_reached_without_the_token() -> None:
    url = "https://account.blob.core.windows.net/container/blob?sig=x"

    request = _request("PUT", url, with_token=False)

    assert _permit(lease_seconds=30).seconds_for(request) > 0


def test_a_write_is_sent_once() -> None:
    permit = _permit(lease_seconds=30)
    permit.seconds_for(_request("POST", _ARM))

    with pytest.raises(RepeatedWriteError):
        permit.seconds_for(_request("POST", _ARM))
    permit.begin(HOSTS["AzureCloud"].owns)
    permit.renew(lease_until=time.monotonic() + 30, token=None)

    assert permit.seconds_for(_request("POST", _ARM)) > 0
