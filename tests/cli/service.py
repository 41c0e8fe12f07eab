"""A small real HTTP server that speaks the contract, by a script."""

import json
import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from typing_extensions import override

PROBLEM = "application/problem+json"

_POLL_SECONDS = 0.02  # how soon it notices that it is to end


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What one request gets."""

    body: Any = None
    status: int = 200
    media_type: str = "application/json"


@dataclass(frozen=True, kw_only=True, slots=True)
class Stream:
    """What one connection to a stream gets; then it ends, or says no more."""

    events: list[dict[str, Any]]
    stays_open: bool = False
    keeps_alive: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """What came, with lower-case header names."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:  # noqa: ANN401 - whatever the client chose to send
        return json.loads(self.body)


@dataclass(kw_only=True, slots=True)
class Service:
    """Answers each path by its script, the last answer again and again."""

    url: str = ""
    requests: list[Request] = field(default_factory=list)
    script: dict[str, list[Answer | Stream]] = field(
        default_factory=lambda: defaultdict(list)
    )
    closing: threading.Event = field(default_factory=threading.Event)

    def on(self, request: str, *answers: Answer | Stream) -> None:
        """Answer `GET /path` by `answers`."""
        self.script[request] += answers

    def next_answer(self, method: str, path: str) -> Answer | Stream:
        answers = self.script.get(f"{method} {path}", [])
        if not answers:
            return Answer(status=404, body={"detail": f"no script for {method} {path}"})
        return answers.pop(0) if len(answers) > 1 else answers[0]

    def seen(self, request: str) -> list[Request]:
        """Return the requests to `METHOD /path`, without what stands in the query."""
        method, _, path = request.partition(" ")
        return [
            one
            for one in self.requests
            if one.method == method and one.path.partition("?")[0] == path
        ]


class _Server(ThreadingHTTPServer):
    """A server whose handlers find the service that they speak for."""

    def __init__(self, service: Service) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.service = service


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        self._serve()

    def do_PUT(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    @override
    def log_message(self, format: str, *args: object) -> None:
        pass

    def _serve(self) -> None:
        length = int(self.headers.get("content-length", 0))
        request = Request(
            method=self.command,
            path=self.path,
            headers={name.lower(): value for name, value in self.headers.items()},
            body=self.rfile.read(length),
        )
        service = self.server.service
        service.requests.append(request)
        match service.next_answer(self.command, self.path.partition("?")[0]):
            case Answer() as answer:
                self._answer(answer)
            case Stream() as stream:
                after = int(request.headers["last-event-id"])
                self._stream(stream, after, closing=service.closing)

    def _answer(self, answer: Answer) -> None:
        is_raw = isinstance(answer.body, bytes)
        body = answer.body if is_raw else json.dumps(answer.body).encode()
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.media_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _stream(self, stream: Stream, after: int, *, closing: threading.Event) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        self.wfile.write(b"retry: 2000\n\n")
        for event in stream.events:
            if event["sequence"] > after:
                # Not escaped: U+2028 may stand in JSON, and must not end a line.
                data = json.dumps(event, ensure_ascii=False)
                self.wfile.write(f"id: {event['sequence']}\ndata: {data}\n\n".encode())
        if stream.keeps_alive:
            self.wfile.write(b": still here\n\n")
        self.wfile.flush()
        if stream.stays_open:
            closing.wait()


@contextmanager
def serving() -> Iterator[Service]:
    """Run a service on a free port of 127.0.0.1."""
    service = Service()
    server = _Server(service)
    service.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(_POLL_SECONDS,))
    thread.start()
    try:
        yield service
    finally:
        service.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()
