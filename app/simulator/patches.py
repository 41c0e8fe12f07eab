"""JSON-patch as model management takes it: add, replace and remove of known fields."""

from collections.abc import Mapping
from dataclasses import dataclass

from starlette.requests import Request

from app.simulator.errors import AzureError
from app.simulator.paths import bad_request, json_of

_OPERATIONS = frozenset({"add", "replace", "remove"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Patch:
    """One change: of the whole `field`, or of its `member` where one is named."""

    operation: str
    field: str
    member: str
    value: object

    def text(self) -> str | None:
        """Return the new value of a text field."""
        if self.value is not None and not isinstance(self.value, str):
            raise self.refused()
        return self.value

    def texts(self, held: Mapping[str, str]) -> dict[str, str]:
        """Return a map of texts after this change."""
        if not self.member:
            return self._whole()
        changed = dict(held)
        if self.operation == "remove":
            changed.pop(self.member, None)
        elif isinstance(self.value, str):
            changed[self.member] = self.value
        else:
            raise self.refused()
        return changed

    def added(self, held: Mapping[str, str]) -> dict[str, str]:
        """Return a map that can only grow after this change."""
        changed = self.texts(held)
        lost = [key for key in held if changed.get(key, held[key]) != held[key]]
        if self.operation == "remove" or lost:
            raise bad_request(
                "PropertiesImmutable",
                "Properties can be added but neither changed nor removed.",
            )
        return {**held, **changed}

    def refused(self) -> AzureError:
        """Return the 400 for a change of something that cannot be changed so."""
        path = f"/{self.field}" + (f"/{self.member}" if self.member else "")
        return bad_request("InvalidPatch", f"Cannot {self.operation} {path}.")

    def _whole(self) -> dict[str, str]:
        if self.operation == "remove" or self.value is None:
            return {}
        value = self.value
        if not isinstance(value, dict) or not all(
            isinstance(each, str) for each in value.values()
        ):
            raise self.refused()
        return {str(key): str(each) for key, each in value.items()}


async def patches_of(request: Request) -> list[Patch]:
    """Return the changes that a request asks for; Azure's 400 for anything else."""
    body = await json_of(request)
    if not isinstance(body, list) or not body:
        raise bad_request("InvalidPatch", "The body must be a list of operations.")
    return [_patch(each) for each in body]


def _patch(each: object) -> Patch:
    if not isinstance(each, dict):
        raise bad_request("InvalidPatch", "An operation must be an object.")
    operation, path = str(each.get("op", "")).lower(), str(each.get("path", ""))
    field, _, member = path.removeprefix("/").partition("/")
    if operation not in _OPERATIONS or not path.startswith("/") or not field:
        raise bad_request("InvalidPatch", f"No such operation: {operation} {path}.")
    return Patch(
        operation=operation, field=field, member=member, value=each.get("value")
    )
