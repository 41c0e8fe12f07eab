"""What is to go wrong: rules with a name, a place and a count."""

import fnmatch
import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

TAG = "simulate"


@dataclass(frozen=True, kw_only=True, slots=True)
class FaultKind:
    """One thing that can go wrong, as the fault table tells it.

    `where` names what a rule may be narrowed by; `parameters` maps each setting of the
    fault to its default and what it means.
    """

    name: str
    about: str
    where: tuple[str, ...]
    parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """One rule: what goes wrong, where, and with which settings."""

    id: str
    name: str
    where: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, object] = field(default_factory=dict)

    def text(self, name: str, default: str) -> str:
        """Return a setting as text."""
        return str(self.parameters.get(name, default))

    def number(self, name: str, default: float) -> float:
        """Return a setting as a number."""
        value = self.parameters.get(name, default)
        try:
            return float(value) if isinstance(value, int | float | str) else default
        except ValueError:
            return default

    def applies(self, where: Mapping[str, str]) -> bool:
        """Tell whether this rule is about `where`; `*` and `?` stand for any text."""
        return all(
            key in where and fnmatch.fnmatchcase(where[key].lower(), pattern.lower())
            for key, pattern in self.where.items()
        )


@dataclass(kw_only=True, slots=True)
class _Rule:
    fault: Fault
    times: int | None
    after: int
    taken: int = 0


@dataclass(slots=True)
class Faults:
    """The rules in force; each is taken as often as it says and then never again."""

    _rules: list[_Rule] = field(default_factory=list)
    _numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def add(
        self,
        name: str,
        *,
        times: int | None = 1,
        after: int = 0,
        where: Mapping[str, str] | None = None,
        parameters: Mapping[str, object] | None = None,
    ) -> Fault:
        """Add a rule for the next `times` occasions (None: for good) past `after`."""
        fault = Fault(
            id=f"fault-{next(self._numbers)}",
            name=name,
            where=MappingProxyType(dict(where or {})),
            parameters=MappingProxyType(dict(parameters or {})),
        )
        self._rules.append(_Rule(fault=fault, times=times, after=after))
        return fault

    def remove(self, fault_id: str) -> bool:
        """Remove a rule; tell whether there was one."""
        before = len(self._rules)
        self._rules = [rule for rule in self._rules if rule.fault.id != fault_id]
        return len(self._rules) < before

    def clear(self) -> None:
        """Remove every rule."""
        self._rules.clear()

    def take(
        self, name: str, *, tags: Mapping[str, str] | None = None, **where: str
    ) -> Fault | None:
        """Return the fault that strikes now, if any, and count it.

        A tag `simulate` on the request names faults too, with commas between; such a
        fault strikes as often as the tag is sent.
        """
        if tags and name in _tagged(tags):
            return Fault(id=f"{TAG}-tag", name=name)
        for rule in self._rules:
            is_about = rule.fault.name == name and rule.fault.applies(where)
            if is_about and self._counts(rule):
                return rule.fault
        return None

    def state(self) -> list[dict[str, object]]:
        """Return every rule as JSON, the exhausted ones included."""
        return [
            {
                "id": rule.fault.id,
                "name": rule.fault.name,
                "where": dict(rule.fault.where),
                "parameters": dict(rule.fault.parameters),
                "times": rule.times,
                "after": rule.after,
                "taken": rule.taken,
            }
            for rule in self._rules
        ]

    @staticmethod
    def _counts(rule: _Rule) -> bool:
        if rule.after > 0:
            rule.after -= 1
            return False
        if rule.times is not None and rule.taken >= rule.times:
            return False
        rule.taken += 1
        return True


def _tagged(tags: Mapping[str, str]) -> set[str]:
    return {name.strip() for name in tags.get(TAG, "").split(",")}
