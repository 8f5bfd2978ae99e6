"""A scripted model over real HTTP: the formats of the big providers, streamed or not, and faults.

Stateless: which turn it is follows from the history in the request, so that one server serves any
number of conversations, retries and resumed ones included. Standard library only; serves loopback.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import math
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Self

from tests.peers import bedrock, formats
from tests.peers.formats import Answer, Format, Json, Say

__all__ = [
    "Cut",
    "Exchange",
    "Fault",
    "Json",
    "ModelServer",
    "Raw",
    "Reset",
    "Say",
    "Stall",
    "Status",
]


@dataclass(frozen=True)
class Status:
    """Answer with an error status instead."""

    code: int
    message: str = "scripted fault"
    headers: Mapping[str, str] = field(default_factory=dict)
    error_code: str | None = None


@dataclass(frozen=True)
class Reset:
    """Drop the connection after so many events of the stream."""

    after_events: int = 0


@dataclass(frozen=True)
class Stall:
    """Fall silent after so many events."""

    after_events: int = 0
    seconds: float = 30.0


@dataclass(frozen=True)
class Cut:
    """End the stream in good order, but early."""

    after_events: int = 3


@dataclass(frozen=True)
class Raw:
    """Answer 200 with this body."""

    body: bytes
    content_type: str = "application/json"


@dataclass
class Exchange:
    """One request, in bytes and seconds of the monotonic clock."""

    size: int
    came: float
    """When all of it was there."""
    answered: float = math.nan
    """When all of its answer was written."""


Fault = Status | Reset | Stall | Cut | Raw
CONVERSE = Format(bedrock.turn, bedrock.whole, bedrock.events, bedrock.error, bedrock.frame)
BY_PATH = {**formats.BY_PATH, "/converse": CONVERSE, "/converse-stream": CONVERSE}
KEY_HEADERS = ("authorization", "x-api-key", "x-goog-api-key")
DONE = (Say("All done."),)
Turns = Sequence[Say] | Callable[[int, Json], Say]
"""By turn, the last one repeated; or a function of the turn's number (from 0) and the request."""


class ModelServer:
    """`async with ModelServer([Say("done")]) as server:` listens on `server.base_url`."""

    def __init__(
        self,
        turns: Turns = DONE,
        *,
        port: int = 0,
        latency_seconds: float = 0.0,
        pieces: int = 8,
        gap_seconds: float = 0.0,
        window_tokens: int | None = None,
        remembers: bool = True,
    ) -> None:
        """*pieces*: into how many deltas a text is cut; *gap_seconds*: the pause between two.

        *window_tokens*: longer requests are refused, at four bytes a token, and usage says as much.
        *remembers*: keeps `requests` and `keys`.
        """
        self.turns = turns
        self.models: dict[str, Turns] = {}
        """Turns for one model name; others get `turns`."""
        self.faults: deque[Fault] = deque()
        """Each is used up by one request, before any turn is played."""
        self.chance: Callable[[], Fault | None] = lambda: None
        """The fault, if any, of a request that none of `faults` is for."""
        self.requests: list[Json] = []
        """The bodies, as they came."""
        self.exchanges: list[Exchange] = []
        self.keys: list[str] = []
        """The Authorization headers, or what a provider has in their place, as they came."""
        self._port = port
        self._latency_seconds = latency_seconds
        self._pieces = pieces
        self._gap_seconds = gap_seconds
        self._window_tokens = window_tokens
        self._remembers = remembers
        self._ids = itertools.count(1)
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    @property
    def base_url(self) -> str:
        assert self._server is not None, "the server has not been started"
        host, port = self._server.sockets[0].getsockname()[:2]
        return f"http://{host}:{port}/v1"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(
            self._connected, "127.0.0.1", self._port, limit=1 << 26
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        await self._server.wait_closed()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            while await self._exchange(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass  # cancelled by __aexit__ alone; Python 3.11 would log it as an error
        finally:
            self._connections.discard(task)
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request and its answer; False when the connection is to be dropped."""
        path, headers, raw = await _read(reader)
        exchange = Exchange(len(raw), time.monotonic())
        self.exchanges.append(exchange)
        kept = await self._respond(writer, path, headers, raw)
        if kept:
            await writer.drain()
        exchange.answered = time.monotonic()
        return kept

    async def _respond(
        self, writer: asyncio.StreamWriter, path: str, headers: Mapping[str, str], raw: bytes
    ) -> bool:
        if path.endswith("/models"):
            names = list(self.models) or ["scripted"]
            _send(
                writer,
                200,
                {"object": "list", "data": [{"id": n, "object": "model"} for n in names]},
            )
            return True
        format_ = next((found for end, found in BY_PATH.items() if path.endswith(end)), None)
        if format_ is None:
            _send(writer, 404, {"error": {"message": f"no route {path}"}})
            return True
        if "content-encoding" in headers:
            _send(writer, 415, format_.error(415, "not unpacked here", None), {})
            return True
        request: Json = json.loads(raw)
        if format_ is CONVERSE:
            request |= bedrock.named(path)
        elif "model" not in request:  # Google names it in the path
            name, _, verb = path.rpartition("/")[2].partition(":")
            request |= {"model": name, "stream": verb == "streamGenerateContent"}
        if self._remembers:
            self.requests.append(request)
            self.keys.append(next((headers[name] for name in KEY_HEADERS if name in headers), ""))
        if self._latency_seconds:
            await asyncio.sleep(self._latency_seconds)
        tokens = len(raw) // 4
        fault = self.faults.popleft() if self.faults else self.chance()
        if fault is None and self._window_tokens and tokens > self._window_tokens:
            said = f"prompt is too long: {tokens} tokens > {self._window_tokens} maximum"
            fault = Status(400, said, error_code="context_length_exceeded")
        return await self._answer(writer, request, format_, fault, tokens)

    async def _answer(
        self,
        writer: asyncio.StreamWriter,
        request: Json,
        format_: Format,
        fault: Fault | None,
        tokens: int,
    ) -> bool:
        match fault:
            case Status(code, message, headers, error_code):
                _send(writer, code, format_.error(code, message, error_code), headers)
                return True
            case Raw(body, content_type):
                _send(writer, 200, body, {"content-type": content_type})
                return True
        say = self._say(request, format_.turn(request))
        if self._window_tokens:
            say = replace(say, input_tokens=tokens, cached_tokens=0)
        answer = Answer(str(next(self._ids)), request["model"], say, self._calls(say))
        if not request.get("stream"):
            if isinstance(fault, Stall):
                await asyncio.sleep(fault.seconds)
            if fault is None:
                _send(writer, 200, format_.whole(answer))
            return fault is None
        frames = map(format_.frame or _server_sent, format_.events(answer, self._pieces))
        kind = "application/vnd.amazon.eventstream" if format_.frame else "text/event-stream"
        return await self._stream(writer, frames, kind, fault)

    async def _stream(
        self, writer: asyncio.StreamWriter, chunks: Iterator[bytes], kind: str, fault: Fault | None
    ) -> bool:
        if isinstance(fault, Reset | Stall | Cut):
            chunks = itertools.islice(chunks, fault.after_events)
        writer.write(
            f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\n"
            "transfer-encoding: chunked\r\n\r\n".encode()
        )
        for chunk in chunks:
            writer.write(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n")
            if self._gap_seconds:
                await writer.drain()
                await asyncio.sleep(self._gap_seconds)
        if isinstance(fault, Reset | Stall):
            await writer.drain()
            await asyncio.sleep(fault.seconds if isinstance(fault, Stall) else 0)
            return False
        writer.write(b"0\r\n\r\n")
        return True

    def _say(self, request: Json, number: int) -> Say:
        turns = self.models.get(request["model"], self.turns)
        return turns(number, request) if callable(turns) else turns[min(number, len(turns) - 1)]

    def _calls(self, say: Say) -> list[tuple[str, str, str]]:
        ids = list(say.call_ids) or [f"call_{next(self._ids)}" for _ in say.calls]
        return [
            (id_, name, arguments if isinstance(arguments, str) else json.dumps(arguments))
            for id_, (name, arguments) in zip(ids, say.calls, strict=True)
        ]


def _server_sent(event: Json | str) -> bytes:
    data = event if isinstance(event, str) else json.dumps(event)
    name = event.get("type") if isinstance(event, dict) else None
    return (f"event: {name}\n" if name else "").encode() + f"data: {data}\n\n".encode()


async def _read(reader: asyncio.StreamReader) -> tuple[str, dict[str, str], bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    path = head[0].split(" ")[1].split("?")[0]
    headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in head[1:])}
    if headers.get("transfer-encoding") != "chunked":
        return path, headers, await reader.readexactly(int(headers.get("content-length", "0")))
    body = b""
    while size := int((await reader.readline()).strip(), 16):
        body += await reader.readexactly(size)
        await reader.readline()
    await reader.readline()
    return path, headers, body


def _send(
    writer: asyncio.StreamWriter,
    status: int,
    body: Json | bytes,
    headers: Mapping[str, str] | None = None,
) -> None:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    fields = {"content-type": "application/json", **(headers or {}), "content-length": len(data)}
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    writer.write(f"HTTP/1.1 {status} Scripted\r\n{lines}\r\n".encode() + data)
