"""What lies in a workspace's storage account, and the signed addresses that open it."""

import base64
import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import quote, urlencode

from app.simulator.errors import AzureError
from app.simulator.world import SimulatedWorkspace

# Azure signs for hours; at a high speed these would be over within one upload.
_LIFETIME = timedelta(days=30)
_VERSION = "2019-07-07"
_TIMES = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(kw_only=True, slots=True)
class Blob:
    """A committed block blob."""

    content: bytes
    content_type: str
    modified_at: datetime
    created_at: datetime
    etag: str
    metadata: dict[str, str] = field(default_factory=dict)

    @property
    def md5(self) -> str:
        """The content's MD5 as storage headers carry it."""
        return md5_of(self.content)


def md5_of(content: bytes) -> str:
    """Return the MD5 of `content` as the header `Content-MD5` carries it."""
    # Azure's checksum, which guards nothing here.
    digest = hashlib.md5(content, usedforsecurity=False).digest()
    return base64.b64encode(digest).decode()


class BlobStore:
    """The blobs of one storage account; a part of its workspace."""

    def __init__(self, workspace: SimulatedWorkspace) -> None:
        self._clock = workspace.world.clock
        self.account = workspace.storage_account
        self._key = workspace.world.new_id().encode()
        self._blobs: dict[tuple[str, str], Blob] = {}
        self._staged: dict[tuple[str, str], dict[str, bytes]] = {}
        self._writes = 0

    def find(self, container: str, name: str) -> Blob | None:
        """Return a committed blob, if there is one."""
        return self._blobs.get((container, name))

    def get(self, container: str, name: str) -> Blob:
        """Return a committed blob; storage's 404 without one."""
        blob = self.find(container, name)
        if blob is None:
            raise AzureError(404, "BlobNotFound", "The specified blob does not exist.")
        return blob

    def put(
        self, container: str, name: str, content: bytes, *, content_type: str = ""
    ) -> Blob:
        """Write a whole blob, over one of the same name."""
        now = self._clock.now()
        self._writes += 1
        before = self._blobs.get((container, name))
        blob = Blob(
            content=content,
            content_type=content_type or "application/octet-stream",
            modified_at=now,
            created_at=before.created_at if before else now,
            etag=f'"0x8D{self._writes:013X}"',
        )
        self._blobs[container, name] = blob
        self._staged.pop((container, name), None)
        return blob

    def stage(self, container: str, name: str, block: str, content: bytes) -> None:
        """Keep one block until a list of blocks commits it."""
        self._staged.setdefault((container, name), {})[block] = content

    def commit(
        self,
        container: str,
        name: str,
        blocks: Iterable[str],
        *,
        content_type: str = "",
    ) -> Blob:
        """Make a blob of staged blocks; storage's 400 for one that was not staged."""
        staged = self._staged.get((container, name), {})
        try:
            content = b"".join(staged[block] for block in blocks)
        except KeyError as error:
            raise AzureError(
                400, "InvalidBlockList", "The specified block list is invalid."
            ) from error
        return self.put(container, name, content, content_type=content_type)

    def delete(self, container: str, name: str) -> None:
        """Remove a blob; storage's 404 without one."""
        self.get(container, name)
        del self._blobs[container, name]

    def names(self, container: str, prefix: str) -> list[str]:
        """Return the sorted names in a container that start with `prefix`."""
        return sorted(
            name
            for held, name in self._blobs
            if held == container and name.startswith(prefix)
        )

    def uri(self, container: str, name: str, permissions: str = "r") -> str:
        """Return an address that opens this one blob for these permissions."""
        start = self._clock.now()
        query = {
            "sv": _VERSION,
            "sr": "b",
            "st": start.strftime(_TIMES),
            "se": (start + _LIFETIME).strftime(_TIMES),
            "sp": permissions,
        }
        query["sig"] = self._signature(container, name, query)
        path = quote(f"{container}/{name}")
        return f"https://{self.account}.blob.core.windows.net/{path}?{urlencode(query)}"

    def admit(
        self, container: str, name: str, query: Mapping[str, str], permissions: str
    ) -> None:
        """Let a request pass whose signature is ours, in time, and for its purpose."""
        expected = self._signature(container, name, query)
        if not hmac.compare_digest(expected, query.get("sig", "")) or (
            query.get("se", "") < self._clock.now().strftime(_TIMES)
        ):
            raise AzureError(
                403,
                "AuthenticationFailed",
                "Server failed to authenticate the request. Make sure the value of "
                "Authorization header is formed correctly including the signature.",
            )
        if not set(permissions) & set(query.get("sp", "")):
            raise AzureError(
                403,
                "AuthorizationPermissionMismatch",
                "This request is not authorized to perform this operation using this "
                "permission.",
            )

    def _signature(self, container: str, name: str, query: Mapping[str, str]) -> str:
        signed = [query.get(part, "") for part in ("sv", "sr", "st", "se", "sp")]
        text = "\n".join([self.account, container, name, *signed])
        digest = hmac.new(self._key, text.encode(), hashlib.sha256).digest()
        return base64.b64encode(digest).decode()
