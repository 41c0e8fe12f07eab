"""MLflow's search language, as far as a workspace answers it: comparisons with AND."""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import TypeVar

from app.simulator.mlflow_fields import invalid

Value = str | float | None
Record = TypeVar("Record")
Lookup = Callable[[str], Value]
"""Returns what a record has under a key such as `name` or `tags.team`."""

_TERM = re.compile(
    r"\s*(?P<key>[A-Za-z_]+(?:\.(?:`[^`]+`|\"[^\"]+\"|[\w./-]+))?)"
    r"\s*(?P<operator><=|>=|!=|=|<|>|I?LIKE\b|IN\b)"
    r"\s*(?P<value>'[^']*'|\"[^\"]*\"|-?[\d.]+(?:e-?\d+)?|\([^)]*\))\s*",
    re.IGNORECASE,
)
_AND = re.compile(r"AND\b", re.IGNORECASE)
_ORDER = re.compile(
    r"\s*(?P<key>[A-Za-z_]+(?:\.(?:`[^`]+`|\"[^\"]+\"|[\w./-]+))?)"
    r"(?:\s+(?P<direction>ASC|DESC))?\s*",
    re.IGNORECASE,
)


def matches(text: str, lookup: Lookup) -> bool:
    """Tell whether the record behind `lookup` is one that the filter `text` wants.

    Raises AzureError for a filter that this server cannot read.
    """
    return all(_holds(lookup(key), sign, value) for key, sign, value in _parse(text))


def ordered(
    records: Sequence[Record],
    clauses: Sequence[str],
    lookup: Callable[[Record, str], Value],
) -> list[Record]:
    """Return `records` in the order of the clauses, the first of which counts most."""
    found = list(records)
    for clause in reversed(clauses):
        term = _ORDER.fullmatch(clause)
        if term is None:
            raise invalid(f"Invalid order_by clause '{clause}'.")
        key = _plain(term["key"])
        is_descending = (term["direction"] or "ASC").upper() == "DESC"
        found.sort(key=lambda one: _rank(lookup(one, key)), reverse=is_descending)
    return found


# One search asks it for every record.
@lru_cache(maxsize=64)
def _parse(text: str) -> tuple[tuple[str, str, str], ...]:
    terms = []
    position = 0
    while text[position:].strip():
        term = _TERM.match(text, position)
        if term is None:
            raise invalid(f"Invalid filter '{text}'.")
        terms.append((_plain(term["key"]), term["operator"].upper(), term["value"]))
        position = term.end()
        if joint := _AND.match(text, position):
            position = joint.end()
        elif position < len(text):
            raise invalid(f"Invalid filter '{text}'.")
    return tuple(terms)


def _plain(key: str) -> str:
    return key.replace("`", "").replace('"', "")


def _rank(value: Value) -> tuple[bool, float, str]:
    number = value if isinstance(value, int | float) else 0.0
    return value is not None, float(number), str(value)


def _holds(found: Value, sign: str, wanted: str) -> bool:
    if found is None:
        return False
    if sign == "IN":
        return str(found) in re.findall(r"['\"]([^'\"]*)['\"]", wanted)
    if isinstance(found, int | float):
        return _COMPARISONS[sign](_rank(found), _rank(_number(wanted)))
    text = wanted.strip("'\"")
    if sign in {"LIKE", "ILIKE"}:
        flags = re.IGNORECASE if sign == "ILIKE" else 0
        pattern = re.escape(text).replace("%", ".*").replace("_", ".")
        return re.fullmatch(pattern, found, flags | re.DOTALL) is not None
    return _COMPARISONS[sign](_rank(found), _rank(text))


def _number(text: str) -> float:
    try:
        return float(text.strip("'\""))
    except ValueError as error:
        raise invalid(f"'{text}' is not a number.") from error


_Rank = tuple[bool, float, str]
_COMPARISONS: Mapping[str, Callable[[_Rank, _Rank], bool]] = MappingProxyType(
    {
        "=": lambda one, other: one[1:] == other[1:],
        "!=": lambda one, other: one[1:] != other[1:],
        "<": lambda one, other: one < other,
        "<=": lambda one, other: one <= other,
        ">": lambda one, other: one > other,
        ">=": lambda one, other: one >= other,
    }
)
