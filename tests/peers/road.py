"""The way to some HTTP servers, on which anything may happen: refusals, resets, stalls, answers
that are cut off, and writing requests that are carried out without anybody hearing of it.

Knows bytes only: what passes it is what the real client and the real server say, but that each
request has a connection of its own.
"""

from __future__ import annotations

import asyncio
import random
import re
import socket
import struct
from collections import Counter
from collections.abc import Sequence
from types import TracebackType
from typing import Self

FAULTS = ("429", "500", "503", "reset", "stall", "cut", *["unheard"] * 4)
"""The last one is nothing to those who only read."""
STALL_SECONDS = 3.0
LONGEST_BEFORE_CUT = 4000
"""Bytes; git's shorter answers are then whole more often than not."""
CHUNK = 1 << 16
HEAD_LIMIT = 1 << 16
OF_REPOSITORY = re.compile(r"(?:/api/v3/repos)?/[^/]+/[^/]+/([a-z-]+)")
"""What is asked for, on a GitHub and where git is served."""
WRITES = re.compile(rb"(POST|PATCH|PUT|DELETE) (?!\S+/git-upload-pack )")
CONNECTION = re.compile(rb"\r\nconnection:[^\r]*", re.IGNORECASE)
DEAD_AT_ONCE = struct.pack("ii", 1, 0)


class Road:
    """`async with Road(ports, 0.05, chance) as road:` leads from `road.url` to one of *ports*, and
    fails each request with that probability."""

    def __init__(self, ports: Sequence[int], probability: float, chance: random.Random) -> None:
        self._ports = ports
        self._probability = probability
        self._chance = chance
        self._connections = set[asyncio.Task[None]]()
        self._server: asyncio.Server | None = None
        self.done = Counter[str]()
        self.url = ""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", limit=HEAD_LIMIT)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._server is not None
        self._server.close()
        for one in self._connections:
            one.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        await self._server.wait_closed()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            fails = self._chance.random() < self._probability
            await self._travel(reader, writer, self._chance.choice(FAULTS) if fails else "")
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # whoever was on the way is told by the end of the connection
        finally:
            self._connections.discard(task)
            writer.close()

    async def _travel(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, fault: str
    ) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if fault == "unheard" and WRITES.match(head) is None:
            fault = ""
        if fault:
            self.done[f"{fault} {_asked(head)}"] += 1
        if fault == "reset":
            _reset(writer)
            return
        if fault.isdigit():
            said = "retry-after: 1\r\n" if fault == "429" else ""
            writer.write(f"HTTP/1.1 {fault} No\r\n{said}content-length: 0\r\n\r\n".encode())
            await writer.drain()
            return
        if fault == "stall":
            await asyncio.sleep(STALL_SECONDS)
        port = self._chance.choice(self._ports)
        there, onward = await asyncio.open_connection("127.0.0.1", port)
        try:
            onward.write(CONNECTION.sub(b"", head)[:-2] + b"connection: close\r\n\r\n")
            asking = asyncio.create_task(_passed_on(reader, onward))
            try:
                await self._answer(there, writer, fault)
            finally:
                asking.cancel()
                await asyncio.gather(asking, return_exceptions=True)
        finally:
            onward.close()

    async def _answer(
        self, there: asyncio.StreamReader, writer: asyncio.StreamWriter, fault: str
    ) -> None:
        left = self._chance.randrange(LONGEST_BEFORE_CUT)
        while data := await there.read(CHUNK):
            if fault == "unheard":
                _reset(writer)
                return
            if fault == "cut" and len(data) > left:
                writer.write(data[:left])
                await writer.drain()
                _reset(writer)
                return
            left -= len(data)
            writer.write(data)
            await writer.drain()


async def _passed_on(reader: asyncio.StreamReader, onward: asyncio.StreamWriter) -> None:
    while data := await reader.read(CHUNK):
        onward.write(data)
        await onward.drain()


def _reset(writer: asyncio.StreamWriter) -> None:
    end: socket.socket = writer.get_extra_info("socket")
    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, DEAD_AT_ONCE)
    writer.transport.abort()


def _asked(head: bytes) -> str:
    """The method, and what of a repository."""
    method, target, _ = head.decode("latin-1").split(" ", 2)
    found = OF_REPOSITORY.match(target)
    return f"{method} {found[1]}" if found else method
