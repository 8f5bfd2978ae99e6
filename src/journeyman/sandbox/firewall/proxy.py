"""A proxy for one session: CONNECT, plain HTTP, and connections to addresses that stand for names.

Plain HTTP is one request per connection, to the host that was checked. Knows nothing of
namespaces; every byte from inside is hostile.
"""

from __future__ import annotations

import asyncio
import re
from asyncio import StreamReader as Reader
from asyncio import StreamWriter as Writer
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any

from journeyman.sandbox.firewall import head, rules
from journeyman.sandbox.firewall.attempts import Peer
from journeyman.sandbox.firewall.dial import BUFFER_BYTES, Connection, Refused
from journeyman.sandbox.firewall.gate import Gate
from journeyman.sandbox.firewall.head import Malformed, Request

HEAD_SECONDS = 10.0
END_SECONDS = 5.0
MOST_CONNECTIONS = 64
"""Each takes two descriptors of the server, which has few by default."""
HTTP_PORT = 80
MAX_PORT = 65535
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"
PHRASES = {
    400: "Bad Request",
    403: "Blocked by the firewall",
    431: "Request Header Fields Too Large",
    502: "Bad Gateway",
}
BLOCKED = (
    "Blocked by the firewall of this session: {host}:{port} {reason}. "
    "Only an operator of the server can allow it, in its configuration under [firewall]."
)
CHUNK = re.compile(rb"([0-9a-fA-F]{1,8})[\t ]*(?:;[\t\x20-\x7e]*)?\r\n")

Handler = Callable[[Reader, Writer], Awaitable[None]]


class Proxy:
    """Serves the connections that are given to it, and can end them."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._targets: dict[asyncio.Task[None], tuple[str, int] | None] = {}

    def explicit(self, reader: Reader, writer: Writer) -> None:
        """Take a connection of a client that knows that this is a proxy."""
        self._take(self._explicit, reader, writer)

    def mapped(self, name: str) -> Callable[[Reader, Writer], None]:
        """What takes connections of clients that believe to speak to *name*."""
        return partial(self._take, partial(self._mapped, name))

    def enforce(self) -> None:
        """End the connections that the rules no longer allow."""
        for task, target in self._targets.items():
            if target is not None and not self._gate.rules.allows(*target):
                task.cancel()

    async def close(self) -> None:
        """End every connection."""
        tasks = list(self._targets)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def _take(self, handler: Handler, reader: Reader, writer: Writer) -> None:
        if len(self._targets) >= MOST_CONNECTIONS:
            writer.transport.abort()
            return
        task = asyncio.create_task(self._serve(handler, reader, writer))
        self._targets[task] = None
        task.add_done_callback(self._targets.pop)

    async def _serve(self, handler: Handler, reader: Reader, writer: Writer) -> None:
        try:
            await handler(reader, writer)
        except Malformed as error:
            _answer(writer, 400, f"This is not a request that the proxy takes: {error}.")
        except asyncio.LimitOverrunError:
            _answer(writer, 431, "The head of the request is too long.")
        except (OSError, asyncio.IncompleteReadError):
            pass
        except asyncio.CancelledError:
            writer.transport.abort()
            raise
        await _ended(reader, writer)

    async def _explicit(self, reader: Reader, writer: Writer) -> None:
        request = head.request(await _head(reader))
        if request.method == "CONNECT":
            host, port = _authority(request.target)
            await self._tunnel(reader, writer, host, port, method="CONNECT")
            return
        match = re.fullmatch(r"(?i:http)://([^/?#]+)([^#]*)", request.target)
        if match is None:
            raise Malformed("the target of a request to a proxy is a whole http address")
        host, port = _authority(match[1], default=HTTP_PORT)
        await self._forward(request, host, port, match[2], reader, writer)

    async def _mapped(self, name: str, reader: Reader, writer: Writer) -> None:
        port = int(writer.get_extra_info("sockname")[1])
        if port != HTTP_PORT:
            await self._tunnel(reader, writer, name, port, method="TCP")
            return
        request = head.request(await _head(reader))
        named = head.values(request.fields, "host")
        if not named or _authority(named[0], default=HTTP_PORT) != (name, HTTP_PORT):
            raise Malformed(f"its Host is not {name}, to which this connection was made")
        if not request.target.startswith("/"):
            raise Malformed("its target is not a path")
        await self._forward(request, name, port, request.target, reader, writer)

    async def _tunnel(
        self, reader: Reader, writer: Writer, host: str, port: int, *, method: str
    ) -> None:
        connection = await self._reach(writer, host, port, method)
        if connection is None:
            return
        from_host, to_host = connection
        try:
            if method == "CONNECT":
                writer.write(ESTABLISHED)
            await _both(_pump(reader, to_host), _pump(from_host, writer))
        finally:
            to_host.close()

    async def _forward(
        self, request: Request, host: str, port: int, path: str, reader: Reader, writer: Writer
    ) -> None:
        connection = await self._reach(writer, host, port, request.method)
        if connection is None:
            return
        from_host, to_host = connection
        try:
            to_host.write(_forwarded(request, host, port, path))
            if head.values(request.fields, "expect"):
                writer.write(CONTINUE)
            await _until(
                _response(request.method, from_host, writer), _body(request.length, reader, to_host)
            )
        finally:
            to_host.close()

    async def _reach(self, writer: Writer, host: str, port: int, method: str) -> Connection | None:
        """A connection; None once the client has been told that there is none."""
        task = asyncio.current_task()
        assert task is not None
        self._targets[task] = (host, port)
        peer = Peer("tcp", *(writer.get_extra_info(end)[1] for end in ("peername", "sockname")))
        try:
            return await self._gate.reach(host, port, method=method, peer=peer)
        except Refused as refused:
            status, text = 403, BLOCKED.format(host=host, port=port, reason=refused)
        except OSError as error:
            status, text = 502, f"{host}:{port} did not answer: {error or 'too late'}."
        if method == "TCP":
            writer.transport.abort()
        else:
            _answer(writer, status, text)
        return None


async def _head(reader: Reader) -> bytes:
    async with asyncio.timeout(HEAD_SECONDS):
        raw = await reader.readuntil(b"\r\n\r\n")
    if len(raw) > head.MAX_BYTES:
        raise asyncio.LimitOverrunError("too long", len(raw))
    return raw


def _authority(text: str, default: int | None = None) -> tuple[str, int]:
    """Host, in its normal form, and port."""
    match = re.fullmatch(r"(?:\[([0-9a-fA-F:.]+)\]|([^\[\]:@]+))(?::([0-9]{1,5}))?", text)
    port = int((match and match[3]) or default or 0)
    if match is None or not 0 < port <= MAX_PORT:
        raise Malformed("its target is not a host and a port")
    try:
        return rules.normal(match[1] or match[2]), port
    except ValueError as error:
        raise Malformed(str(error)) from error


def _forwarded(request: Request, host: str, port: int, path: str) -> bytes:
    shown = f"[{host}]" if ":" in host else host
    fields = [
        ("Host", shown if port == HTTP_PORT else f"{shown}:{port}"),
        *head.kept(request.fields),
        ("Connection", "close"),
    ]
    target = path if path.startswith("/") else f"/{path}"
    return head.written(f"{request.method} {target} HTTP/1.1", fields)


def _answer(writer: Writer, status: int, text: str) -> None:
    body = f"{text}\n".encode(errors="replace")
    fields = [
        ("Content-Type", "text/plain; charset=utf-8"),
        ("Content-Length", str(len(body))),
        ("Connection", "close"),
    ]
    writer.write(head.written(f"HTTP/1.1 {status} {PHRASES[status]}", fields) + body)


async def _body(length: int | None, reader: Reader, writer: Writer) -> None:
    """Pass one body on, and nothing behind it."""
    while length:
        data = await reader.read(min(length, BUFFER_BYTES))
        if not data:
            raise ConnectionError("the body is cut off")
        writer.write(data)
        await writer.drain()
        length -= len(data)
    if length is None:
        await _chunks(reader, writer)


async def _chunks(reader: Reader, writer: Writer) -> None:
    size = 1
    while size:
        match = CHUNK.fullmatch(await reader.readuntil(b"\n"))
        if match is None:
            raise Malformed("a chunk has no size")
        size = int(match[1], 16)
        writer.write(b"%x\r\n" % size)
        await _body(size, reader, writer)
        if size and await reader.readexactly(2) != b"\r\n":
            raise Malformed("a chunk is longer than it says")
        writer.write(b"\r\n")
        await writer.drain()


async def _response(method: str, reader: Reader, writer: Writer) -> None:
    """Pass the final response on; those before it were for the proxy."""
    try:
        found = head.response(await reader.readuntil(b"\r\n\r\n"))
        while found.status < 200:
            found = head.response(await reader.readuntil(b"\r\n\r\n"))
    except (Malformed, asyncio.LimitOverrunError, asyncio.IncompleteReadError):
        _answer(writer, 502, "The host did not answer in HTTP.")
        return
    writer.write(found.head)
    length = found.length(method)
    await (_pump(reader, writer) if length is None else _body(length, reader, writer))


async def _pump(reader: Reader, writer: Writer) -> None:
    while data := await reader.read(BUFFER_BYTES):
        writer.write(data)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()


async def _both(*sides: Coroutine[Any, Any, None]) -> None:
    """Until both have ended; the first failure ends the other."""
    tasks = [asyncio.create_task(side) for side in sides]
    await _watched(tasks, asyncio.FIRST_EXCEPTION)


async def _until(main: Coroutine[Any, Any, None], beside: Coroutine[Any, Any, None]) -> None:
    """Until *main* has ended, or *beside* has failed."""
    tasks = [asyncio.create_task(main), asyncio.create_task(beside)]
    tasks[0].add_done_callback(lambda _: tasks[1].cancel())
    await _watched(tasks, asyncio.FIRST_EXCEPTION)


async def _watched(tasks: list[asyncio.Task[None]], when: str) -> None:
    try:
        await asyncio.wait(tasks, return_when=when)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    for task in tasks:
        if not task.cancelled():
            task.result()


async def _ended(reader: Reader, writer: Writer) -> None:
    """Let the client read what was said: closing on unread data would throw it away."""
    try:
        async with asyncio.timeout(END_SECONDS):
            if writer.can_write_eof() and not writer.is_closing():
                await writer.drain()
                writer.write_eof()
                while await reader.read(BUFFER_BYTES):
                    pass
            writer.close()
            await writer.wait_closed()
    except OSError:
        pass
    finally:
        writer.transport.abort()
