"""Secrets of the worker's own environment and files, read anew each time."""

from collections.abc import Mapping
from pathlib import Path
from typing import assert_never

from app.core.credential import EnvironmentReference, FileReference
from app.core.declared_secret import EnvironmentSecret, FileSecret

_LARGEST = 128 * 1024  # bytes


class UnreadableReferenceError(Exception):
    """Nothing stands where a reference points; says where, never what."""


def referred(
    reference: EnvironmentReference | FileReference | EnvironmentSecret | FileSecret,
    environ: Mapping[str, str],
) -> bytes:
    """Return what the reference points at, without a final line break.

    Raises UnreadableReferenceError.
    """
    match reference:
        case EnvironmentReference() | EnvironmentSecret():
            value = environ.get(reference.variable, "").encode()
            place = f"the environment variable {reference.variable}"
        case FileReference() | FileSecret():
            value = _content(Path(reference.path))
            place = f"the file {reference.path}"
        case _:
            assert_never(reference)
    if not value.strip():
        raise UnreadableReferenceError(f"{place} is missing or empty")
    return value.removesuffix(b"\n").removesuffix(b"\r")


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
    except OSError as error:
        raise UnreadableReferenceError(
            f"the file {path} cannot be read ({error.strerror})"
        ) from error
    if len(content) > _LARGEST:
        raise UnreadableReferenceError(
            f"the file {path} is larger than {_LARGEST} bytes"
        )
    return content
