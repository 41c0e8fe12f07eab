"""Leases for tests of targets."""

from typing_extensions import override

from app.core.lease import LeaseLostError
from tests.fakes import FakeLease


class LostLease(FakeLease):
    """A lease that has run out."""

    @override
    def check(self) -> None:
        raise LeaseLostError("it has run out")
