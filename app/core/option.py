"""How an option declares its bounds, documentation and effect, framework-free.

pydantic reads these marks by method name, so the core imports none of it.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol


class Effect(StrEnum):
    """What changing an option does to a running deployment, mildest first."""

    IN_PLACE = "in_place"
    NEW_REVISION = "new_revision"
    RECREATE = "recreate"


class _SchemaHandler(Protocol):
    def __call__(self, source: object, /) -> dict[str, Any]: ...


@dataclass(frozen=True, slots=True)
class Option:
    """An option's documentation and, where it differs from its parent's, its effect."""

    doc: str
    effect: Effect | None = None

    def __get_pydantic_json_schema__(
        self, core_schema: dict[str, Any], handler: _SchemaHandler
    ) -> dict[str, Any]:
        """Show documentation and effect in OpenAPI, without importing pydantic."""
        schema = dict(handler(core_schema))
        schema["description"] = self.doc
        if self.effect is not None:
            schema["x-effect"] = self.effect.value
        return schema


@dataclass(frozen=True, slots=True)
class Matches:
    """A string that matches `pattern` from end to end."""

    pattern: str

    def __get_pydantic_core_schema__(
        self,
        source: object,
        handler: _SchemaHandler,
    ) -> dict[str, Any]:
        """Hand the pattern to the validator, without importing pydantic."""
        return {**handler(source), "pattern": self.pattern}


@dataclass(frozen=True, slots=True)
class Strictly:
    """A scalar that is not converted: the string "1" is no integer."""

    def __get_pydantic_core_schema__(
        self,
        source: object,
        handler: _SchemaHandler,
    ) -> dict[str, Any]:
        """Switch the validator's conversions off, without importing pydantic."""
        return {**handler(source), "strict": True}
