"""What a web service is to be, in digests that stand in its tags at Azure.

The tags are our mark: they say whose the service is, and whether it is what is wanted.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

from app.core.diff import option_effects
from app.core.option import Effect
from app.core.secret import secrets_of
from app.core.target import ApplyRequest, Handle

PREFIX = "slipway."
_INSTALLATION = f"{PREFIX}installation"
_DEPLOYMENT = f"{PREFIX}deployment"
_OPERATION = f"{PREFIX}operation"
_SPEC = f"{PREFIX}spec"
_FIXED = f"{PREFIX}fixed"
_IMAGE = f"{PREFIX}image"
_KEYS = f"{PREFIX}keys"

_KEY_OPTIONS = ("primary_key", "secondary_key")
_NO_KEY = "-"

Tags = Mapping[str, str]


class Standing(StrEnum):
    """What a look by name found, compared with what is wanted."""

    ABSENT = "absent"
    SAME = "same"
    CHANGED = "changed"
    TO_REPLACE = "to_replace"
    FOREIGN = "foreign"


class Health(StrEnum):
    """How the last change of a service that stands there ended, if it has ended."""

    FINE = "fine"
    CHANGE_FAILED = "change_failed"  # what was there before may serve
    BROKEN = "broken"  # it will never serve as it is


@dataclass(frozen=True, kw_only=True, slots=True)
class Owner:
    """Whose a service is; equal for all revisions of a deployment."""

    installation: str
    deployment: str
    # Found at Azure without a mark, and given to Slipway by its owner.
    is_adopted: bool = False

    @classmethod
    def of_handle(cls, handle: Handle) -> "Owner":
        """Return whose service a handle means."""
        return cls(
            installation=str(handle.get("installation")),
            deployment=str(handle.get("deployment")),
            is_adopted=handle.get("adopted") is True,
        )

    def owns(self, tags: Tags) -> bool:
        """Say whether a service with these tags is this owner's."""
        if self.is_adopted and not any(key.startswith(PREFIX) for key in tags):
            return True
        return (
            tags.get(_INSTALLATION) == self.installation
            and tags.get(_DEPLOYMENT) == self.deployment
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """The tags of the service that a request asks for."""

    owner: Owner
    tags: Tags

    @classmethod
    def of(cls, request: ApplyRequest, *, script: str) -> "Wanted":
        """Return what `request` wants, served by `script`."""
        mark, prints = request.mark, _prints(request)
        options = _options(request, prints)
        effects = option_effects()[request.options.kind]
        fixed = {
            name: value
            for name, value in options.items()
            if name == "kind" or effects.get(name) is Effect.RECREATE
        }
        spec = {
            "model": request.model.uri,
            "options": options,
            "tags": dict(request.tags),
            "properties": dict(request.properties),
            "description": request.description,
        }
        marks = {
            _INSTALLATION: mark.installation,
            _DEPLOYMENT: mark.deployment,
            f"{PREFIX}revision": str(mark.revision),
            _OPERATION: mark.operation,
            f"{PREFIX}epoch": str(mark.epoch),
            _SPEC: _digest(spec),
            _FIXED: _digest(fixed),
            _IMAGE: _digest([request.model.uri, script]),
            _KEYS: " ".join(prints.get(name, _NO_KEY) for name in _KEY_OPTIONS),
        }
        handle = request.handle or {}
        owner = Owner(
            installation=mark.installation,
            deployment=mark.deployment,
            is_adopted=handle.get("adopted") is True,
        )
        return cls(owner=owner, tags={**request.tags, **marks})

    def standing(self, tags: Tags | None, health: Health) -> Standing:
        """Return how a service with these tags compares; None is no service.

        What failed in the very operation at hand is not mended: its failure is this
        operation's result.
        """
        if tags is None:
            return Standing.ABSENT
        if not self.owner.owns(tags):
            return Standing.FOREIGN
        is_same = tags.get(_SPEC) == self.tags[_SPEC]
        if is_same and (health is Health.FINE or self._is_of_this_operation(tags)):
            return Standing.SAME
        is_fixed = tags.get(_FIXED, self.tags[_FIXED]) == self.tags[_FIXED]
        if health is Health.BROKEN or not is_fixed:
            return Standing.TO_REPLACE
        return Standing.CHANGED

    def is_done(self, tags: Tags | None) -> bool:
        """Say whether the change that this asks for has reached the service."""
        return self.standing(tags, Health.FINE) is Standing.SAME

    def has_image(self, tags: Tags) -> bool:
        """Say whether a service with these tags has the image that is wanted."""
        return tags.get(_IMAGE) == self.tags[_IMAGE]

    def new_keys(self, tags: Tags) -> list[str]:
        """Return the options of the keys that were given anew since these tags."""
        before = tags.get(_KEYS, "").split(" ")
        before += [_NO_KEY] * (len(_KEY_OPTIONS) - len(before))
        pairs = zip(_KEY_OPTIONS, self.tags[_KEYS].split(" "), before, strict=False)
        return [name for name, now, then in pairs if now not in {_NO_KEY, then}]

    def _is_of_this_operation(self, tags: Tags) -> bool:
        return tags.get(_OPERATION) == self.tags[_OPERATION]


def _options(request: ApplyRequest, prints: Mapping[str, str]) -> dict[str, Any]:
    given = request.options
    values = {field.name: getattr(given, field.name) for field in fields(given)}
    return {**values, **{name: prints[name] for name in secrets_of(given)}}


def _prints(request: ApplyRequest) -> dict[str, str]:
    """Return what tells two secrets of one deployment apart, and nothing of either.

    The tags are read by more people than the secrets: guessing must cost something.
    """
    return {
        name: hashlib.scrypt(
            request.secrets[name].encode(),
            salt=request.mark.deployment.encode(),
            n=2**12,
            r=8,
            p=1,
            dklen=12,
        ).hex()
        for name in secrets_of(request.options)
    }


def _digest(value: object) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
