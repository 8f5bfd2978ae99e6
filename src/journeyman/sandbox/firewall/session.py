"""The firewall of one session: its proxy, its resolver, and an address for every allowed name.

Knows nothing of how the sandbox isolates, nor whose sockets these are.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from asyncio import StreamReader as Reader
from asyncio import StreamWriter as Writer
from collections.abc import Callable

from journeyman.sandbox import Blocked, Network
from journeyman.sandbox.firewall import names, rules
from journeyman.sandbox.firewall.attempts import Attempts, Peer, Who
from journeyman.sandbox.firewall.dial import BUFFER_BYTES, Resolve
from journeyman.sandbox.firewall.gate import UNLISTED, Gate
from journeyman.sandbox.firewall.names import Mapped, Question
from journeyman.sandbox.firewall.proxy import Proxy
from journeyman.sandbox.firewall.sockets import Sockets, SocketsUnavailable

LOOPBACK = "127.0.0.1"
PROXY_PORT, NAMES_PORT = 3128, 53
BACKLOG = 128
MOST_QUESTIONS = 64
"""Answered at once; more are dropped, and asked again."""
MOST_PORTS = 8
"""Of one name, where connections are taken that know nothing of the proxy."""
OURS = frozenset({"localhost", "sandbox"})
ADDRESS = f"http://{LOOPBACK}:{PROXY_PORT}"
ENVIRONMENT = {
    **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), ADDRESS),
    **dict.fromkeys(("NO_PROXY", "no_proxy"), "localhost,127.0.0.1,::1"),
}
"""What commands inside are told."""


class Firewall:
    """Open from `open` until `close`."""

    def __init__(self, network: Network, *, sockets: Sockets, resolve: Resolve, who: Who) -> None:
        """Raises ValueError when a rule is wrong."""
        self.attempts = Attempts(who)
        self.transparent = False
        """True when programs that know nothing of a proxy get through as well."""
        self._gate = Gate(network, resolve, self.attempts)
        self._proxy = Proxy(self._gate)
        self._sockets = sockets
        self._servers: list[asyncio.Server] = []
        self._mapped = Mapped()
        self._mapping = asyncio.Lock()
        self._listening: set[tuple[str, int]] = set()
        self._datagrams: asyncio.DatagramTransport | None = None
        self._answering: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Begin to serve. Raises SocketsUnavailable, OSError."""
        (listening,) = await self._sockets.streams(1)
        await self._listen(listening, LOOPBACK, PROXY_PORT, self._proxy.explicit)
        asking = await self._sockets.datagram()
        try:
            asking.bind((LOOPBACK, NAMES_PORT))
        except PermissionError:
            asking.close()
            return
        self._datagrams, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: _Questions(self._asked), sock=asking
        )
        self.transparent = True

    def blocked(self) -> tuple[Blocked, ...]:
        """Every refused attempt so far."""
        return self.attempts.all()

    def change(self, network: Network) -> None:
        """Other rules, at once: connections that they no longer allow end. Raises ValueError."""
        self._gate.change(network)
        self._proxy.enforce()

    async def listen(self, port: int) -> socket.socket:
        """A socket of the sandbox that listens at *port*. Raises ValueError when it is taken."""
        (made,) = await self._sockets.streams(1)
        try:
            made.bind((LOOPBACK, port))
        except OSError as error:
            made.close()
            raise ValueError(f"port {port} inside: {error.strerror}") from error
        made.listen(BACKLOG)
        return made

    async def close(self) -> None:
        """End every connection. Idempotent."""
        for server in self._servers:
            server.close()
        self._servers.clear()
        if self._datagrams is not None:
            self._datagrams.close()
        for task in self._answering:
            task.cancel()
        await self._proxy.close()
        await self._sockets.close()

    def _asked(self, data: bytes, port: int) -> None:
        asked = names.question(data)
        if asked is None or len(self._answering) >= MOST_QUESTIONS:
            return
        task = asyncio.create_task(self._answer(asked, port))
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)

    async def _answer(self, asked: Question, port: int) -> None:
        try:
            reply = await self._reply(asked, port)
        except (OSError, SocketsUnavailable):
            reply = names.overloaded(asked)
        if self._datagrams is not None and not self._datagrams.is_closing():
            self._datagrams.sendto(reply, (LOOPBACK, port))

    async def _reply(self, asked: Question, port: int) -> bytes:
        if asked.name in OURS:
            return names.found(asked, LOOPBACK if asked.kind == names.A else None)
        try:
            ports = self._gate.rules.ports_of(name := rules.normal(asked.name))
        except ValueError:
            return names.missing(asked)
        if not ports:
            if asked.kind == names.A:
                peer = Peer("udp", port, NAMES_PORT)
                await self._gate.note(name, 0, "DNS", UNLISTED, peer)
            return names.missing(asked)
        if asked.kind != names.A:
            return names.found(asked, None)
        async with self._mapping:
            address = self._mapped.find(name) or self._mapped.add(name)
            if address is None:
                return names.overloaded(asked)
            await self._cover(name, address, sorted(ports)[:MOST_PORTS])
        return names.found(asked, address)

    async def _cover(self, name: str, address: str, ports: list[int]) -> None:
        """Take connections to *address* at each of *ports*."""
        missing = [port for port in ports if (address, port) not in self._listening]
        for one, port in zip(await self._sockets.streams(len(missing)), missing, strict=True):
            await self._listen(one, address, port, self._proxy.mapped(name))
            self._listening.add((address, port))

    async def _listen(
        self,
        listening: socket.socket,
        address: str,
        port: int,
        take: Callable[[Reader, Writer], None],
    ) -> None:
        with contextlib.ExitStack() as undo:
            undo.callback(listening.close)
            listening.bind((address, port))
            server = await asyncio.start_server(
                take, sock=listening, backlog=BACKLOG, limit=BUFFER_BYTES
            )
            undo.pop_all()
        self._servers.append(server)


class _Questions(asyncio.DatagramProtocol):
    """Hands over what arrives."""

    def __init__(self, take: Callable[[bytes, int], None]) -> None:
        self._take = take

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._take(data, addr[1])
