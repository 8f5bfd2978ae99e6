"""A proxy on loopback, a host behind it, and names that lead wherever a test wants."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

import pytest

from journeyman.sandbox import Network
from journeyman.sandbox.firewall.attempts import Attempts, Owner, Peer
from journeyman.sandbox.firewall.dial import BUFFER_BYTES
from journeyman.sandbox.firewall.gate import Gate
from journeyman.sandbox.firewall.proxy import Proxy

LOOPBACK = ("127.0.0.0/8",)


class Host:
    """Answers every request with what it got; remembers heads and bodies."""

    def __init__(self) -> None:
        self.heads: list[bytes] = []
        self.rest = b""
        self.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nok"
        self.port = 0

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            self.heads.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(self.answer)
            while data := await reader.read(65536):
                self.rest += data
                if b"last" in self.rest:
                    break
        writer.close()


class Names:
    """A resolver that says what it is told, one answer after the other."""

    def __init__(self) -> None:
        self.answers: dict[str, list[Sequence[str]]] = {}
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        answers = self.answers.get(host, [["127.0.0.1"]])
        return answers.pop(0) if len(answers) > 1 else answers[0]


@dataclass
class Bench:
    proxy: Proxy
    gate: Gate
    host: Host
    names: Names
    port: int
    traced: list[Peer] = field(default_factory=list)

    def allow(self, *rules: str, networks: Sequence[str] = LOOPBACK) -> None:
        self.gate.change(Network(rules, tuple(networks)))
        self.proxy.enforce()

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port, limit=BUFFER_BYTES)

    async def say(self, data: bytes) -> bytes:
        """Everything that comes back until the connection ends."""
        reader, writer = await self.connect()
        writer.write(data)
        try:
            async with asyncio.timeout(8):
                return await reader.read()
        except ConnectionError:
            return b""
        finally:
            writer.close()


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    traced: list[Peer] = []

    async def who(peer: Peer) -> Owner | None:
        traced.append(peer)
        return Owner(7, "curl")

    host, names = Host(), Names()
    gate = Gate(Network(), names, Attempts(who))
    proxy = Proxy(gate)
    behind = await asyncio.start_server(host.take, "127.0.0.1", 0)
    host.port = behind.sockets[0].getsockname()[1]
    front = await asyncio.start_server(proxy.explicit, "127.0.0.1", 0, limit=BUFFER_BYTES)
    made = Bench(proxy, gate, host, names, front.sockets[0].getsockname()[1], traced)
    made.allow(f"ok.test:{host.port}")
    yield made
    front.close()
    await proxy.close()
    behind.close()
    await asyncio.sleep(0)
