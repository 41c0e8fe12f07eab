"""Rules between the fields of one target's options."""

from collections.abc import Iterator
from typing import Any

from app.core.errors import FieldProblem


def all_or_none(options: Any, *names: str) -> Iterator[FieldProblem]:  # noqa: ANN401
    """Yield a problem for each of `names` that is missing while another is given."""
    missing = [name for name in names if getattr(options, name) is None]
    if len(missing) == len(names):
        return
    for name in missing:
        yield FieldProblem(
            pointer=f"/{name}",
            code="incomplete_group",
            detail=f"goes together with {', '.join(n for n in names if n != name)}",
        )
