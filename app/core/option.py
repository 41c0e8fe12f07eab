"""How an option declares its bounds, documentation and effect, framework-free.

pydantic reads these marks by method name, so the core imports none of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Protocol, get_args, get_type_hints


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


# A number sent as a string is a mistake that is better told than mended.
Integer = Annotated[int, Strictly()]
Flag = Annotated[bool, Strictly()]


class _MemberHandler(Protocol):
    def __call__(self, source: object, /) -> dict[str, Any]: ...

    def generate_schema(self, source: object, /) -> dict[str, Any]: ...


@dataclass(frozen=True, slots=True)
class ToldApartBy:
    """A union whose members have the literal field `name`, which says which it is.

    Where it is left out, it is `default`.
    """

    name: str
    default: str | None = None

    def __get_pydantic_core_schema__(
        self,
        source: object,
        handler: _MemberHandler,
    ) -> dict[str, Any]:
        """Have the validator look at that field alone, without importing pydantic."""
        return {
            "type": "tagged-union",
            "discriminator": self.name if self.default is None else self._tag,
            "choices": {
                literal_of(member, self.name): handler.generate_schema(member)
                for member in get_args(source)
            },
        }

    def _tag(self, value: object) -> object:
        if isinstance(value, Mapping):
            return value.get(self.name, self.default)
        return getattr(value, self.name, self.default)


def literal_of(member: type[Any], name: str) -> str:
    """Return the one value that the literal field `name` of `member` can have."""
    return str(get_args(get_type_hints(member)[name])[0])
