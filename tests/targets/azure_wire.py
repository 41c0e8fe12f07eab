"""Calls and made-up answers, for tests of Azure over REST."""

import httpx

from app.targets.azure_call import Call
from tests.targets.azure import (
    FakeAzure,
)

READ = Call(path="/subscriptions")


WRITE = Call(path="/subscriptions", method="POST", body={"a": 1})


def in_turn(*answers: httpx.Response | Exception) -> FakeAzure:
    """Azure with these answers, one after another, the last one for good."""
    left = list(answers)

    def answer(_: httpx.Request) -> httpx.Response:
        following = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(following, Exception):
            raise following
        # A response carries the state of being read: each call gets one of its own.
        return httpx.Response(
            following.status_code, headers=following.headers, content=following.content
        )

    return FakeAzure(answer)


def json_answer(status: int, body: object, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(status, json=body, headers=named)


FINE = json_answer(200, {"value": []})
