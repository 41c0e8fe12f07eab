"""Column types that SQLAlchemy does not know."""

from typing import Any

from sqlalchemy.types import UserDefinedType
from typing_extensions import override


class Xid8(UserDefinedType[int]):
    """PostgreSQL's 64-bit transaction id: the commit order of the event stream."""

    cache_ok = True

    @override
    def get_col_spec(self, **_: Any) -> str:
        """Return the type's name in SQL."""
        return "xid8"
