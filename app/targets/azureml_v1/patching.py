"""What azureml-core's `update` leaves out of its PATCH, put back in.

It skips whatever is false in Python, so that a description cannot be emptied, GPUs
cannot go down to none, and a limit or a number of replicas cannot be taken away.
"""

from collections.abc import Sequence
from typing import Any

import requests
from azureml._model_management._util import (  # type: ignore[import-untyped]
    get_requests_session,
)

PatchOperation = dict[str, Any]


class PatchingSession:
    """Makes azureml-core's sessions, whose next PATCH says `operations` too."""

    def __init__(self, operations: Sequence[PatchOperation]) -> None:
        self._operations = list(operations)

    def once(self) -> requests.Session:
        """Return a session as azureml-core would make it."""
        session: requests.Session = get_requests_session()
        patch = session.patch

        def patch_more(
            url: str,
            data: Any = None,  # noqa: ANN401 - as requests declares it
            **options: Any,  # noqa: ANN401
        ) -> requests.Response:
            options["json"] = [*options["json"], *self._operations]
            return patch(url, data, **options)

        session.patch = patch_more  # type: ignore[method-assign,assignment]
        return session
