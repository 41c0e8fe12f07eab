"""Blob storage: whole and staged uploads, downloads with ranges, all by signature."""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from email.utils import format_datetime
from types import MappingProxyType
from xml.etree import ElementTree as ET

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from app.simulator.blobs import Blob, BlobStore, md5_of
from app.simulator.errors import AzureError
from app.simulator.world import World

_RANGE = re.compile(r"bytes=(\d+)-(\d*)")
_META = "x-ms-meta-"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Call:
    """One admitted request about one blob."""

    store: BlobStore
    container: str
    name: str
    request: Request

    def header(self, name: str) -> str:
        return self.request.headers.get(name, "")

    def metadata(self) -> dict[str, str]:
        return {
            name[len(_META) :]: value
            for name, value in self.request.headers.items()
            if name.startswith(_META)
        }


def routes(world: World) -> list[BaseRoute]:
    """Return the routes of every workspace's storage account."""

    async def answer(request: Request) -> Response:
        operation = request.query_params.get("comp", "")
        handler = _CALLS.get((request.method, operation))
        if handler is None:
            raise AzureError(
                400,
                "UnsupportedQueryParameter",
                f"The simulator has no {request.method} with comp={operation}.",
            )
        container, name = request.path_params["container"], request.path_params["name"]
        store = _store(world, request)
        needed = "r" if request.method in {"GET", "HEAD"} else "cwd"
        store.admit(container, name, request.query_params, needed)
        return await handler(
            _Call(store=store, container=container, name=name, request=request)
        )

    methods = ["GET", "HEAD", "PUT", "DELETE"]
    return [Route("/{container}/{name:path}", answer, methods=methods)]


def _store(world: World, request: Request) -> BlobStore:
    account = request.headers.get("host", "").split(".")[0].lower()
    for workspace in world.workspaces.values():
        if workspace.storage_account == account:
            return workspace.part(BlobStore)
    raise AzureError(404, "ResourceNotFound", "The specified account does not exist.")


async def _put(call: _Call) -> Response:
    _check_absent(call)
    content = await _checked_body(call)
    blob = call.store.put(
        call.container,
        call.name,
        content,
        content_type=call.header("x-ms-blob-content-type"),
    )
    blob.metadata = call.metadata()
    return Response(status_code=201, headers=_written(blob))


async def _put_block(call: _Call) -> Response:
    content = await _checked_body(call)
    block = call.request.query_params.get("blockid", "")
    call.store.stage(call.container, call.name, block, content)
    return Response(status_code=201, headers={"Content-MD5": md5_of(content)})


async def _put_block_list(call: _Call) -> Response:
    _check_absent(call)
    body = await _checked_body(call)
    # The body is the SDK's own list, held to a few megabytes by its 50,000 blocks.
    listed = ET.fromstring(body)  # noqa: S314
    blob = call.store.commit(
        call.container,
        call.name,
        [block.text or "" for block in listed],
        content_type=call.header("x-ms-blob-content-type"),
    )
    blob.metadata = call.metadata()
    # Of the list, not of the blob: the SDK compares it with what it sent.
    headers = {**_written(blob), "Content-MD5": md5_of(body)}
    return Response(status_code=201, headers=headers)


async def _put_metadata(call: _Call) -> Response:
    blob = call.store.get(call.container, call.name)
    blob.metadata = call.metadata()
    return Response(status_code=200, headers=_written(blob))


async def _get(call: _Call) -> Response:
    blob = call.store.get(call.container, call.name)
    asked = call.header("x-ms-range") or call.header("range")
    matched = _RANGE.fullmatch(asked)
    if matched is None:
        return Response(blob.content, headers=_shown(blob))
    first = int(matched[1])
    if first >= len(blob.content):
        raise AzureError(
            416,
            "InvalidRange",
            "The range specified is invalid for the current size of the resource.",
            headers={"Content-Range": f"bytes */{len(blob.content)}"},
        )
    part = blob.content[first : int(matched[2]) + 1 if matched[2] else None]
    headers = _shown(blob)
    headers["Content-Range"] = (
        f"bytes {first}-{first + len(part) - 1}/{len(blob.content)}"
    )
    headers["x-ms-blob-content-md5"] = headers.pop("Content-MD5")
    if call.header("x-ms-range-get-content-md5").lower() == "true":
        headers["Content-MD5"] = md5_of(part)
    return Response(part, status_code=206, headers=headers)


async def _head(call: _Call) -> Response:
    blob = call.store.get(call.container, call.name)
    headers = {**_shown(blob), "Content-Length": str(len(blob.content))}
    return Response(headers=headers)


async def _delete(call: _Call) -> Response:
    call.store.delete(call.container, call.name)
    return Response(status_code=202)


def _check_absent(call: _Call) -> None:
    """Refuse to write over a blob where the caller wants to make a new one."""
    is_there = call.store.find(call.container, call.name) is not None
    if is_there and call.header("if-none-match") == "*":
        raise AzureError(409, "BlobAlreadyExists", "The specified blob already exists.")


async def _checked_body(call: _Call) -> bytes:
    content = await call.request.body()
    sent = call.header("content-md5")
    if sent and sent != md5_of(content):
        raise AzureError(
            400,
            "Md5Mismatch",
            "The MD5 value specified in the request did not match with the MD5 value "
            "calculated by the server.",
        )
    return content


def _written(blob: Blob) -> dict[str, str]:
    return {
        "Content-MD5": blob.md5,
        "ETag": blob.etag,
        "Last-Modified": format_datetime(blob.modified_at, usegmt=True),
        "x-ms-request-server-encrypted": "true",
        "x-ms-version": "2019-07-07",
    }


def _shown(blob: Blob) -> dict[str, str]:
    return {
        **_written(blob),
        "Accept-Ranges": "bytes",
        "Content-Type": blob.content_type,
        "x-ms-blob-type": "BlockBlob",
        "x-ms-creation-time": format_datetime(blob.created_at, usegmt=True),
        "x-ms-lease-state": "available",
        "x-ms-lease-status": "unlocked",
        "x-ms-server-encrypted": "true",
        **{f"{_META}{name}": value for name, value in blob.metadata.items()},
    }


_CALLS: Mapping[tuple[str, str], Callable[[_Call], Awaitable[Response]]] = (
    MappingProxyType(
        {
            ("PUT", ""): _put,
            ("PUT", "block"): _put_block,
            ("PUT", "blocklist"): _put_block_list,
            ("PUT", "metadata"): _put_metadata,
            ("GET", ""): _get,
            ("HEAD", ""): _head,
            ("DELETE", ""): _delete,
        }
    )
)
