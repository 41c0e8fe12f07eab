"""The storage client that azureml-core brings, kept from sending an upload again.

It waits 15 seconds before it does, and no variable tells it not to. Imported by
`sdk_program` alone, in a child process.
"""

from functools import partial
from typing import Any

from azureml._vendor.azure_storage.blob._shared import base_client

_RETRY = "ExponentialRetry"


def switch_off_retries() -> None:
    """Have each upload of this process sent once, for good."""
    module: Any = base_client
    setattr(module, _RETRY, partial(getattr(module, _RETRY), retry_total=0))
