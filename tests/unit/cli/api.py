"""A server that answers as it is told, on a real socket: what the commands are tried against."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass
class Asked:
    """One request as it arrived."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any


@dataclass
class Answer:
    """*chunks* are written one after the other; then the connection is closed, or cut off."""

    status: int = 200
    chunks: tuple[bytes, ...] = ()
    kind: str = "application/json"
    cut: bool = False
    headers: dict[str, str] = field(default_factory=dict)


def as_json(value: Any, status: int = 200) -> Answer:
    return Answer(status, (json.dumps(value).encode(),))


def as_text(text: str) -> Answer:
    return Answer(200, (text.encode(),), "text/plain")


def as_stream(*chunks: str, cut: bool = False) -> Answer:
    return Answer(200, tuple(c.encode() for c in chunks), "text/event-stream", cut)


Script = Callable[[Asked], Answer]


@dataclass
class Api:
    """What the server does, and what it was asked."""

    url: str = ""
    answers: dict[str, list[Answer | Script]] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)

    def on(self, request: str, *answers: Answer | Script) -> None:
        """*request* like "GET /agents/tasks"; the last answer is repeated for ever."""
        self.answers[request] = list(answers)

    def requests(self, request: str) -> list[Asked]:
        return [asked for asked in self.asked if f"{asked.method} {asked.path}" == request]

    def answer(self, asked: Asked) -> Answer:
        self.asked.append(asked)
        known = self.answers.get(f"{asked.method} {asked.path}")
        if not known:
            return as_json({"message": "Not Found", "documentation_url": ""}, 404)
        chosen = known.pop(0) if len(known) > 1 else known[0]
        return chosen(asked) if callable(chosen) else chosen


@contextmanager
def serving(port: int = 0) -> Iterator[Api]:
    api = Api()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length)
            asked = Asked(
                self.command,
                url.path,
                dict(parse_qsl(url.query)),
                {name.lower(): value for name, value in self.headers.items()},
                json.loads(body) if body else None,
            )
            self._write(api.answer(asked))

        do_POST = do_GET

        def _write(self, answer: Answer) -> None:
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.kind)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            if answer.cut:
                self.send_header("Content-Length", "1000000")
            self.end_headers()
            for chunk in answer.chunks:
                self.wfile.write(chunk)
                self.wfile.flush()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        api.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield api
        finally:
            server.shutdown()
            thread.join()


def task(state: str = "completed", **fields: Any) -> dict[str, Any]:
    """A task as the API shows it."""
    return {
        "id": "0197c4a0-0000-7000-8000-000000000001",
        "url": "http://host/agents/repos/alice/hello/tasks/0197c4a0-0000-7000-8000-000000000001",
        "html_url": "http://host/alice/hello/agents/tasks/0197c4a0-0000-7000-8000-000000000001",
        "name": "Greet people by their name",
        "state": state,
        "session_count": 1,
        "artifacts": [],
        "created_at": "2026-01-02T03:04:05Z",
        "updated_at": "2026-01-02T03:04:15Z",
        "repository": {"id": 1},
        **fields,
    }


def event(type_: str, cursor: str = "1-1", **data: Any) -> dict[str, Any]:
    """An event as the API shows it."""
    return {"id": cursor, "type": type_, "timestamp": "2026-01-02T03:04:05.678Z", "data": data}


def frame(shown: dict[str, Any]) -> str:
    """An event as the live stream carries it."""
    head = f"id: {shown['id']}\n" if "id" in shown else ""
    return f"{head}event: {shown['type']}\ndata: {json.dumps(shown)}\n\n"
