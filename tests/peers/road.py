"""The way to some HTTP servers, on which anything may happen: refusals, resets, stalls, answers
that are cut off, and pushes that arrive without anybody hearing of it.

Knows bytes only: what passes it is what the real client and the real server say.
"""

from __future__ import annotations

import asyncio
import contextlib
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
PUSH = re.compile(rb"POST \S+/git-receive-pack HTTP")
DEAD_AT_ONCE = struct.pack("ii", 1, 0)


class Road:
    """`async with Road(ports, 0.05, chance) as road:` leads from `road.url` to one of *ports*, and
    fails each connection with that probability."""

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
        if fault.isdigit():
            await reader.readuntil(b"\r\n\r\n")
            self.done[fault] += 1
            said = "retry-after: 1\r\n" if fault == "429" else ""
            writer.write(f"HTTP/1.1 {fault} No\r\n{said}content-length: 0\r\n\r\n".encode())
            await writer.drain()
            return
        if fault == "reset":
            self._reset(writer, fault)
            return
        if fault == "stall":
            self.done[fault] += 1
            await asyncio.sleep(STALL_SECONDS)
        port = self._chance.choice(self._ports)
        there, onward = await asyncio.open_connection("127.0.0.1", port)
        try:
            await self._between(reader, writer, there, onward, fault)
        finally:
            onward.close()

    async def _between(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        there: asyncio.StreamReader,
        onward: asyncio.StreamWriter,
        fault: str,
    ) -> None:
        pushes = asyncio.Event()

        async def ask() -> None:
            while data := await reader.read(CHUNK):
                if PUSH.search(data):
                    pushes.set()
                onward.write(data)
                await onward.drain()
            onward.write_eof()

        async def answer() -> None:
            left = self._chance.randrange(LONGEST_BEFORE_CUT)
            while data := await there.read(CHUNK):
                if fault == "unheard" and pushes.is_set():
                    self._reset(writer, fault)
                    return
                if fault == "cut" and len(data) > left:
                    writer.write(data[:left])
                    await writer.drain()
                    self._reset(writer, fault)
                    return
                left -= len(data)
                writer.write(data)
                await writer.drain()

        asking = asyncio.create_task(ask())
        try:
            await answer()
        finally:
            asking.cancel()
            with contextlib.suppress(asyncio.CancelledError, OSError):
                await asking

    def _reset(self, writer: asyncio.StreamWriter, fault: str) -> None:
        self.done[fault] += 1
        end: socket.socket = writer.get_extra_info("socket")
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, DEAD_AT_ONCE)
        writer.transport.abort()
