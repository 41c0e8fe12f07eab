"""A tracking server that says whatever a test wants, over real HTTP."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from typing_extensions import override

Fields = dict[str, Any]
_API = "/api/2.0/mlflow/"
_ARTIFACTS = "/api/2.0/mlflow-artifacts/artifacts"
RUN = "0123456789abcdef0123456789abcdef"


@dataclass
class Tracking:
    """One run with a model in its artifacts, and a registry in memory.

    `location` and `run_location` are what it says about the files of versions and of
    runs, `files` is what it serves,
    `overrides` answers by route, before anything else: fields, or a status
    with a body.
    `after` is called when a route has done its work and before it answers.
    """

    location: str = "mlflow-artifacts:/model"
    run_location: str = "mlflow-artifacts:/"
    files: dict[str, bytes] = field(default_factory=dict)
    overrides: dict[str, Any] = field(default_factory=dict)
    after: Callable[[str], None] = lambda _: None
    requests: list[str] = field(default_factory=list)
    names: set[str] = field(default_factory=set)
    versions: dict[int, Fields] = field(default_factory=dict)
    uri: str = ""

    def answer(self, method: str, target: str, body: bytes) -> tuple[int, bytes]:
        parts = urlsplit(target)
        route = parts.path.removeprefix(_API)
        self.requests.append(f"{method} {target}")
        found = self.overrides.get(route)
        if isinstance(found, tuple):
            return found
        if found is None and parts.path.startswith(_ARTIFACTS):
            return self._artifact(parts.path, dict(parse_qsl(parts.query)))
        if found is None:
            fields = json.loads(body) if body else dict(parse_qsl(parts.query))
            found = self._registry(route, fields)
        self.after(route)
        if found is None:
            return 404, json.dumps({"error_code": "RESOURCE_DOES_NOT_EXIST"}).encode()
        return 200, json.dumps(found).encode()

    def _artifact(self, path: str, query: Mapping[str, str]) -> tuple[int, bytes]:
        name = path.removeprefix(_ARTIFACTS).lstrip("/")
        if not name:
            root = query.get("path", "").removeprefix("model").strip("/")
            listing = [
                {
                    "path": one.rpartition("/")[2],
                    "is_dir": False,
                    "file_size": len(data),
                }
                for one, data in self.files.items()
                if one.rpartition("/")[0] == root
            ]
            return 200, json.dumps({"files": listing}).encode()
        data = self.files.get(name.removeprefix("model/"))
        return (404, b"") if data is None else (200, data)

    def _registry(self, route: str, fields: Fields) -> Fields | None:
        match route:
            case "runs/get":
                info = {
                    "run_id": RUN,
                    "artifact_uri": self.run_location,
                    "run_uuid": RUN,
                }
                known = fields["run_id"] == RUN
                return {"run": {"info": info, "data": {}}} if known else None
            case "logged-models/search":
                return {"models": []}
            case "registered-models/search":
                return {"registered_models": [{"name": one} for one in self.names]}
            case "registered-models/get":
                known = fields["name"] in self.names
                return {"registered_model": {"name": fields["name"]}} if known else None
            case "registered-models/create":
                self.names.add(fields["name"])
                return {"registered_model": {"name": fields["name"]}}
            case _:
                return self._version(route, fields)

    def _version(self, route: str, fields: Fields) -> Fields | None:
        made = self.versions.get(int(fields.get("version", 0)))
        match route:
            case "model-versions/create":
                number = max(self.versions, default=0) + 1
                self.versions[number] = {
                    **fields,
                    "version": str(number),
                    "status": "READY",
                }
                return {"model_version": self.versions[number]}
            case "model-versions/search":
                newest = sorted(self.versions.items(), reverse=True)
                return {"model_versions": [one for _, one in newest]}
            case "model-versions/get-download-uri" if made:
                return {"artifact_uri": self.location}
            case "model-versions/get" if made:
                return {"model_version": made}
            case "model-versions/delete" if made:
                del self.versions[int(fields["version"])]
                return {}
            case _:
                return None


class _Server(ThreadingHTTPServer):
    """A server that knows what it is to say."""

    def __init__(self, tracking: Tracking) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.tracking = tracking


class _Handler(BaseHTTPRequestHandler):
    """Hands each request on."""

    server: _Server

    def _do(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        status, answer = self.server.tracking.answer(self.command, self.path, body)
        self.send_response(status)
        if status in {301, 302}:
            self.send_header("location", "http://127.0.0.1:1/")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_POST = do_DELETE = _do  # noqa: N815 - the library's names

    @override
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    @override
    def handle(self) -> None:
        # A client that was killed resets its connection.
        with suppress(ConnectionError):
            super().handle()


@contextmanager
def serving(tracking: Tracking) -> Iterator[Tracking]:
    """Serve `tracking` on a port of its own."""
    with _Server(tracking) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        tracking.uri = f"http://127.0.0.1:{server.server_port}"
        try:
            yield tracking
        finally:
            server.shutdown()
            thread.join()
