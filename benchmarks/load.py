"""Clients that ask the same again and again over kept connections, and what that costs the server.

Written on the bare protocol: the clients must take less of the machine than what they measure.
"""

from __future__ import annotations

import asyncio
import os
import re
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import uvloop

CLIENTS = 8
WARM_UP_SECONDS = 0.5
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: dict[str, str]
    status: int
    """What is expected; anything else ends the measurement."""
    body: bytes = b""

    def encoded(self, port: int) -> bytes:
        lines = [f"{self.method} {self.path} HTTP/1.1", f"Host: 127.0.0.1:{port}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        lines += [f"Content-Length: {len(self.body)}"] if self.body else []
        return "\r\n".join([*lines, "", ""]).encode() + self.body


@dataclass
class Measured:
    """Adds up over several stretches of load."""

    seconds: list[float] = field(default_factory=list)
    """How long each request took."""
    cpu_seconds: float = 0.0
    """What the server used of its processors."""

    @property
    def per_core_second(self) -> float:
        return len(self.seconds) / self.cpu_seconds

    def add(self, other: Measured) -> None:
        self.seconds += other.seconds
        self.cpu_seconds += other.cpu_seconds


def measure(port: int, pid: int, request: Request, seconds: float) -> Measured:
    """*CLIENTS* clients, each sending when it has its answer."""
    return uvloop.run(_measure(port, pid, request, seconds))


async def _measure(port: int, pid: int, request: Request, seconds: float) -> Measured:
    clients = [_Client(request, port) for _ in range(CLIENTS)]
    loop = asyncio.get_running_loop()
    for client in clients:
        await loop.create_connection(lambda client=client: client, "127.0.0.1", port)
    await _pass(clients, WARM_UP_SECONDS)
    for client in clients:
        client.seconds.clear()
    used = cpu_seconds(pid)
    await _pass(clients, seconds)
    used = cpu_seconds(pid) - used
    for client in clients:
        client.transport.close()
    return Measured([taken for client in clients for taken in client.seconds], used)


async def _pass(clients: list[_Client], seconds: float) -> None:
    failed = [client.failed for client in clients]
    done, _ = await asyncio.wait(failed, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    for one in done:
        one.result()


class _Client(asyncio.Protocol):
    transport: asyncio.Transport

    def __init__(self, request: Request, port: int) -> None:
        self.seconds: list[float] = []
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._request = request.encoded(port)
        self._expected = b"HTTP/1.1 %d " % request.status
        self._answer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self._send()

    def _send(self) -> None:
        self._answer = b""
        self._sent_at = time.perf_counter()
        self.transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._answer += data
        head, end, body = self._answer.partition(b"\r\n\r\n")
        if not end:
            return
        length = LENGTH.search(head)
        if len(body) < (int(length[1]) if length else 0):
            return
        self.seconds.append(time.perf_counter() - self._sent_at)
        if head.startswith(self._expected):
            self._send()
        elif not self.failed.done():
            self.failed.set_exception(AssertionError(self._answer[:2000].decode()))

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.failed.done():
            self.failed.set_exception(exc or ConnectionResetError("the server hung up"))
            self.failed.exception()


def cpu_seconds(pid: int) -> float:
    """Of all threads of a process, in its own code and in the kernel for it."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS
