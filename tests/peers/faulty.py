"""A server that remembers what it was asked, and fails where a test wants it to."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from journeyman import hosting

STALLED = -1


@dataclass
class Fault:
    """Answers *times* requests whose `METHOD /path` the pattern finds; status 0 ends the
    connection without a word, STALLED never answers."""

    pattern: str
    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    message: str = "Server Error"
    times: int = 1
    after: bool = False
    """Only the answer is lost: what was asked for has been done."""


@dataclass
class Seen:
    method: str
    path: str
    body: bytes
    authorization: str


class Faulty:
    """*answer* is what it does without faults."""

    def __init__(self) -> None:
        self.url = ""
        self.problems: list[str] = []
        self.faults: list[Fault] = []
        self.seen: list[Seen] = []

    def asked(self, pattern: str) -> list[Seen]:
        return [one for one in self.seen if re.search(pattern, f"{one.method} {one.path}")]

    async def answer(self, request: Request, path: str, body: bytes) -> Response:
        raise NotImplementedError

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        path = unquote(scope["raw_path"].decode().partition("?")[0])
        body = await request.body()
        self.seen.append(Seen(request.method, path, body, request.headers.get("authorization", "")))
        fault = self._fault(f"{request.method} {path}")
        response = None
        if fault is None or fault.after:
            response = await self.answer(request, path, body)
        if fault is not None:
            if fault.status == STALLED:
                while (await receive())["type"] != "http.disconnect":
                    pass
            if fault.status <= 0:
                return
            headers = {"content-type": "application/json", **fault.headers}
            said = json.dumps({"message": fault.message})
            response = Response(said, fault.status, headers)
        assert response is not None
        await response(scope, receive, send)

    def _fault(self, asked: str) -> Fault | None:
        for fault in self.faults:
            if fault.times > 0 and re.search(fault.pattern, asked):
                fault.times -= 1
                return fault
        return None


@asynccontextmanager
async def listening(server: Faulty) -> AsyncIterator[None]:
    """On a port of its own, which its `url` says then."""
    socket = hosting.bind("127.0.0.1", 0, "")
    server.url = f"http://127.0.0.1:{socket.getsockname()[1]}"
    async with hosting.answering(server, socket):
        yield
        await asyncio.sleep(0)
