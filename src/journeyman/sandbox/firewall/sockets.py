"""Sockets inside a sandbox's network namespace, some of them ahead of need.

Knows nothing of what they are bound to.
"""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from importlib import resources

from journeyman.sandbox.firewall import enter

DATAGRAMS = 1
FIRST, MORE = 8, 24
"""TCP sockets that are made at once: two are enough for most names."""
SECONDS = 20.0


class SocketsUnavailable(Exception):
    """No socket could be made inside; the text is what the throw-away process said."""


def source() -> str:
    """The source of the throw-away process, to be read once."""
    return resources.files("journeyman.sandbox.firewall").joinpath("enter.py").read_text()


class Sockets:
    """Of one sandbox; begins to make the first ones at once."""

    def __init__(self, namespace: int, *, python: str, source: str) -> None:
        """*namespace*: a descriptor, ours from now on."""
        self._namespace = namespace
        self._command = (python, "-I", "-S", "-c", source)
        self._streams: list[socket.socket] = []
        self._datagrams: list[socket.socket] = []
        self._filling = asyncio.Lock()
        self._first = asyncio.create_task(self._fill(DATAGRAMS, FIRST))
        self._closing = False

    async def datagram(self) -> socket.socket:
        """The UDP socket; there is one. Raises SocketsUnavailable."""
        await self._first
        return self._datagrams.pop()

    async def streams(self, count: int) -> list[socket.socket]:
        """That many TCP sockets. Raises SocketsUnavailable."""
        await asyncio.shield(self._first)
        async with self._filling:
            while len(self._streams) < count:
                await self._fill(0, MORE)
            taken, self._streams = self._streams[:count], self._streams[count:]
        return taken

    async def close(self) -> None:
        """Close what was not taken, and the way in."""
        if self._closing:
            return
        self._closing = True
        self._first.cancel()
        await asyncio.wait([self._first])
        if not self._first.cancelled():
            self._first.exception()
        async with self._filling:
            for one in (*self._streams, *self._datagrams):
                one.close()
            self._streams.clear()
            self._datagrams.clear()
            os.close(self._namespace)

    async def _fill(self, datagrams: int, streams: int) -> None:
        if self._closing:
            raise SocketsUnavailable("the sandbox has ended")
        made = await self._made(datagrams, streams)
        self._datagrams += made[:datagrams]
        self._streams += made[datagrams:]

    async def _made(self, datagrams: int, streams: int) -> list[socket.socket]:
        if os.geteuid() == 0:
            return _by_thread(self._namespace, datagrams, streams)
        return await self._by_process(datagrams, streams)

    async def _by_process(self, datagrams: int, streams: int) -> list[socket.socket]:
        """Who is not root enters the owner of the namespace first, which no thread may."""
        ours, theirs = socket.socketpair()
        with ours, theirs:
            passed = (self._namespace, theirs.fileno())
            process = await asyncio.create_subprocess_exec(
                *self._command,
                *map(str, (*passed, datagrams, streams)),
                env={},
                cwd="/",
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
                pass_fds=passed,
            )
            try:
                async with asyncio.timeout(SECONDS):
                    _, errors = await process.communicate()
            except BaseException:
                if process.returncode is None:
                    process.kill()
                await asyncio.shield(process.wait())
                raise
            if process.returncode != 0:
                raise SocketsUnavailable(errors.decode(errors="replace").strip()[-500:])
            return _received(ours, datagrams + streams)


def _by_thread(namespace: int, datagrams: int, streams: int) -> list[socket.socket]:
    """Of root: it ends inside, and nothing else ever runs in it."""
    made: list[socket.socket] = []
    failed: list[OSError] = []

    def make() -> None:
        try:
            made.extend(enter.make(namespace, datagrams, streams))
        except OSError as error:
            failed.append(error)

    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    if failed:
        raise SocketsUnavailable(str(failed[0]))
    for one in made:
        one.setblocking(False)
    return made


def _received(connected: socket.socket, count: int) -> list[socket.socket]:
    connected.setblocking(False)
    _, descriptors, _, _ = socket.recv_fds(connected, 16, count, socket.MSG_CMSG_CLOEXEC)
    made = [socket.socket(fileno=descriptor) for descriptor in descriptors]
    for one in made:
        one.setblocking(False)
    return made
