"""A webhook receiver on a socket of its own, which answers as the test wants."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Receiver: here\r\n\r\nok"
BROKEN = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 4\r\n\r\noops"
REFUSED = b"HTTP/1.1 422 Unprocessable\r\nContent-Length: 0\r\n\r\n"
MOVED = b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"
RESET: None = None
"""The connection ends without an answer."""
SILENT = b""
"""Nothing is answered until the sender goes away."""


@dataclass(frozen=True)
class Received:
    headers: dict[str, str]
    body: bytes

    @property
    def event(self) -> str:
        return self.headers["x-github-event"]

    @property
    def guid(self) -> str:
        return self.headers["x-github-delivery"]

    @property
    def payload(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found


@dataclass
class Receiver:
    url: str
    received: list[Received] = field(default_factory=list)
    answer: Callable[[Received], bytes | None] = lambda _: OK

    def of(self, event: str) -> list[Received]:
        return [one for one in self.received if one.event == event]


@asynccontextmanager
async def receiving(certificates: ssl.SSLContext | None = None) -> AsyncIterator[Receiver]:
    """With *certificates* behind TLS."""
    receiver = Receiver("")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            received = await _read(reader)
            receiver.received.append(received)
            answer = receiver.answer(received)
            if answer == SILENT:
                await reader.read()
            elif answer is not None:
                writer.write(answer)
                await writer.drain()
        except asyncio.IncompleteReadError:
            return  # whoever connected has said nothing
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=certificates)
    scheme = "https" if certificates else "http"
    receiver.url = f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
    async with server:
        yield receiver


async def _read(reader: asyncio.StreamReader) -> Received:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    headers = {}
    for line in head[1:]:
        name, _, value = line.partition(": ")
        if name:
            headers[name.lower()] = value
    return Received(headers, await reader.readexactly(int(headers["content-length"])))
