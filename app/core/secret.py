"""A secret as a caller gives it, and as a spec remembers it: never the secret itself.

A caller gives a value, or the name of a secret that the operator declared. A value is
put away before anything else is done with it; the spec keeps a reference (`kept`),
which answers show and which a caller may send back to leave the secret as it is.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Annotated, Any, ClassVar

import annotated_types as at
from typing_extensions import override

from app.core.errors import FieldProblem
from app.core.option import Matches, Option

SECRET_NAME_PATTERN = r"^[a-z][a-z0-9-]{0,62}$"  # noqa: S105 - a pattern
KEPT_PATTERN = r"^sec_[0-9a-z]{26}$"
# A certificate with its chain is the longest that an option takes.
_LONGEST = 32 * 1024


@dataclass(frozen=True, kw_only=True, slots=True, repr=False)
class Secret:
    """Exactly one of a value, a declared name, and a reference to a value kept.

    A value is never stored with a spec, shown, or printed.
    """

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    value: Annotated[
        Annotated[str, at.MinLen(1), at.MaxLen(_LONGEST)] | None,
        Option("The secret itself; write-only, encrypted at rest."),
    ] = None
    secret: Annotated[
        Annotated[str, Matches(SECRET_NAME_PATTERN)] | None,
        Option("The name of a secret that the operator declared for this project."),
    ] = None
    kept: Annotated[
        Annotated[str, Matches(KEPT_PATTERN)] | None,
        Option("What answers show of a value; send it back to leave it as it is."),
    ] = None

    @override
    def __repr__(self) -> str:
        """Return what may be logged: which of the three it is."""
        return f"Secret({', '.join(sorted(self._given()))})"

    def problems(self, pointer: str) -> Iterator[FieldProblem]:
        """Yield what is wrong with it as a request, without repeating any of it."""
        if len(self._given()) != 1:
            yield FieldProblem(
                pointer=pointer,
                code="secret_ambiguous",
                detail="takes exactly one of `value`, `secret` and `kept`",
            )
        elif self.value is not None and self.value.startswith(("env:", "file:")):
            yield FieldProblem(
                pointer=f"{pointer}/value",
                code="secret_reference",
                detail="must be the secret itself; a declared one goes by its name",
            )

    def _given(self) -> list[str]:
        return [f.name for f in fields(self) if getattr(self, f.name) is not None]


def secrets_of(options: Any) -> Mapping[str, Secret]:  # noqa: ANN401 - any options
    """Return the secrets among a target's options, by field name."""
    return {
        f.name: value
        for f in fields(options)
        if isinstance(value := getattr(options, f.name), Secret)
    }
