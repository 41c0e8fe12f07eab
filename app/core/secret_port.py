"""The port to the values of declared secrets, which only a worker may read."""

from typing import Protocol


class SecretValues(Protocol):
    """Reads what the operator declared: environment, files, Key Vault."""

    async def value(self, name: str, *, project: str) -> str:
        """Return what the declared secret `name` stands for just now.

        Raises TargetError: `secret_unavailable`, if it is not declared for the project
        or nothing stands where it points; the error never holds any of it.
        """
        ...
