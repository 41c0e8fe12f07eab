"""The fields of one MLflow request, wherever they stand, read strictly."""

import json
from collections.abc import Mapping, Sequence

from starlette.requests import Request

from app.simulator.errors import AzureError

Answer = dict[str, object]
"""The JSON of one answer."""


def invalid(message: str) -> AzureError:
    """Return the refusal of a request that MLflow's server cannot read."""
    return AzureError(400, "INVALID_PARAMETER_VALUE", message)


def missing(message: str) -> AzureError:
    """Return the refusal of a request that names what does not exist."""
    return AzureError(404, "RESOURCE_DOES_NOT_EXIST", message)


class Fields:
    """Fields by name: from the query of a GET, from the JSON body of any other."""

    def __init__(self, values: Mapping[str, object]) -> None:
        self._values = values

    @classmethod
    async def read(cls, request: Request) -> "Fields":
        """Return the fields of `request`. Raises AzureError for an unreadable body."""
        if request.method == "GET":
            query = request.query_params
            names = dict.fromkeys(query.keys())
            return cls({name: query.getlist(name) for name in names})
        body = await request.body()
        try:
            values = json.loads(body or b"{}")
        except ValueError as error:
            raise invalid("The body is not JSON.") from error
        if not isinstance(values, dict):
            raise invalid("The body is not a JSON object.")
        return cls(values)

    def text(self, name: str, default: str = "") -> str:
        """Return a field as text, `default` where it is missing."""
        value = self._values.get(name)
        if isinstance(value, list):
            value = value[0] if value else None
        return default if value is None else str(value)

    def required(self, name: str) -> str:
        """Return a field that has to be there. Raises AzureError."""
        value = self.text(name)
        if not value:
            raise invalid(f"Missing value for required parameter '{name}'.")
        return value

    def number(self, name: str, default: int) -> int:
        """Return a whole number. Raises AzureError if it is none."""
        text = self.text(name)
        try:
            return int(text) if text else default
        except ValueError as error:
            raise invalid(f"Parameter '{name}' is not an integer.") from error

    def has(self, name: str) -> bool:
        """Tell whether the field was sent."""
        return self._values.get(name) is not None

    def flag(self, name: str) -> bool:
        """Return a field that is true or false."""
        return self.text(name).lower() == "true"

    def texts(self, name: str) -> list[str]:
        """Return a field that may be repeated, as a list."""
        value = self._values.get(name)
        if value is None:
            return []
        return [str(one) for one in value] if isinstance(value, list) else [str(value)]

    def items(self, name: str) -> list["Fields"]:
        """Return a list of objects. Raises AzureError if it is anything else."""
        value = self._values.get(name) or []
        if not isinstance(value, list):
            raise invalid(f"Parameter '{name}' is not a list.")
        if not all(isinstance(one, dict) for one in value):
            raise invalid(f"Parameter '{name}' is not a list of objects.")
        return [Fields(one) for one in value]

    def pairs(self, name: str) -> dict[str, str]:
        """Return a list of objects with `key` and `value` as a mapping."""
        return {one.required("key"): one.text("value") for one in self.items(name)}


def key_values(values: Mapping[str, str]) -> list[Answer]:
    """Return a mapping as MLflow tells it: a list of objects."""
    return [{"key": key, "value": value} for key, value in values.items()]


def page(found: Sequence[Answer], fields: Fields, *, name: str, default: int) -> Answer:
    """Return one page of `found` under `name`, with the token of the next one."""
    start = _offset(fields.text("page_token"))
    size = fields.number("max_results", default)
    if size < 1:
        raise invalid("Parameter 'max_results' has to be positive.")
    answer: Answer = {name: list(found[start : start + size])}
    if start + size < len(found):
        answer["next_page_token"] = str(start + size)
    return answer


def _offset(token: str) -> int:
    if not token:
        return 0
    if not token.isascii() or not token.isdigit():
        raise invalid("Invalid page token.")
    return int(token)
