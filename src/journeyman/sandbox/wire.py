"""The service's end of the socket to process 1: numbered requests out, one reply each back.

Knows nothing of what the requests mean. What comes back is untrusted: anything malformed ends the
connection. A message is `name=value` fields, divided by NUL, behind a four-byte length.
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from journeyman.sandbox import SandboxLost

MAX_REPLY_BYTES = 1 << 16
MAX_DESCRIPTORS = 16

Value = str | int | Sequence[str] | Mapping[str, str]


@dataclass(frozen=True)
class Reply:
    """What process 1 answered; whoever takes it owns *descriptors*."""

    fields: dict[str, str]
    descriptors: list[int] = field(default_factory=list)

    def close(self) -> None:
        """Close what was received and is not wanted."""
        _close(self.descriptors)


class Malformed(Exception):
    """Process 1 sent something that is not a reply."""


class Channel:
    """A connected socket, read and written by the running loop."""

    def __init__(self, control: socket.socket) -> None:
        self._socket = control
        self._socket.setblocking(False)
        self._loop = asyncio.get_running_loop()
        self._waiting: dict[int, asyncio.Future[Reply]] = {}
        self._unsent: deque[tuple[memoryview, list[int]]] = deque()
        self._unread = bytearray()
        self._received: list[int] = []
        self._numbers = 0
        self.lost = False
        self._loop.add_reader(control, self._readable)

    def submit(
        self, operation: str, descriptors: Sequence[int] = (), **fields: Value
    ) -> tuple[int, asyncio.Future[Reply]]:
        """Send a request; its number and its coming reply. Closes *descriptors* once they are sent.

        A sequence becomes one field per item, a mapping one `key=value` field per item.
        Raises ValueError when a value holds a NUL.
        """
        self._numbers += 1
        number = self._numbers
        reply: asyncio.Future[Reply] = self._loop.create_future()
        if self.lost:
            _close(descriptors)
            _fail(reply)
            return number, reply
        self._waiting[number] = reply
        try:
            self._post({"op": operation, "id": number, **fields}, list(descriptors))
        except ValueError:
            del self._waiting[number]
            raise
        return number, reply

    async def request(
        self, operation: str, descriptors: Sequence[int] = (), **fields: Value
    ) -> Reply:
        """Send a request and wait for its reply. Raises SandboxLost."""
        _, reply = self.submit(operation, descriptors, **fields)
        try:
            await asyncio.wait([reply])
        except asyncio.CancelledError:
            reply.add_done_callback(_discard)
            raise
        return reply.result()

    def hand_over(self, descriptor: int) -> None:
        """Give process 1 the reading end of a pipe to drain."""
        if self.lost:
            os.close(descriptor)
        else:
            self._post({"op": "drain", "id": 0}, [descriptor])

    def close(self) -> None:
        """End the connection; every waiting request raises SandboxLost. Idempotent."""
        if self.lost:
            return
        self.lost = True
        self._loop.remove_reader(self._socket)
        self._loop.remove_writer(self._socket)
        self._socket.close()
        _close(self._received + [one for _, many in self._unsent for one in many])
        for reply in self._waiting.values():
            if not reply.done():
                _fail(reply)
        self._waiting.clear()
        self._unsent.clear()
        self._received.clear()

    def _post(self, message: Mapping[str, Value], descriptors: list[int]) -> None:
        try:
            text = _encoded({**message, "descriptors": len(descriptors)})
        except ValueError:
            _close(descriptors)
            raise
        self._unsent.append((memoryview(struct.pack(">I", len(text)) + text), descriptors))
        if len(self._unsent) == 1:
            self._writable()

    def _writable(self) -> None:
        while self._unsent:
            data, descriptors = self._unsent[0]
            try:
                sent = socket.send_fds(self._socket, [data], descriptors)
            except BlockingIOError:
                self._loop.add_writer(self._socket, self._writable)
                return
            except OSError:
                self.close()
                return
            _close(descriptors)
            if sent < len(data):
                self._unsent[0] = (data[sent:], [])
            else:
                self._unsent.popleft()
        self._loop.remove_writer(self._socket)

    def _readable(self) -> None:
        try:
            data, descriptors, _, _ = socket.recv_fds(self._socket, 1 << 16, MAX_DESCRIPTORS)
        except BlockingIOError:
            return
        except OSError:
            data, descriptors = b"", []
        for descriptor in descriptors:
            os.set_inheritable(descriptor, False)
        self._received += descriptors
        self._unread += data
        try:
            if not data or len(self._received) > MAX_DESCRIPTORS:
                raise Malformed
            while (message := self._next_message()) is not None:
                self._deliver(message)
        except (Malformed, KeyError, TypeError, ValueError):
            self.close()

    def _next_message(self) -> dict[str, str] | None:
        if len(self._unread) < 4:
            return None
        size = 4 + struct.unpack(">I", self._unread[:4])[0]
        if size > MAX_REPLY_BYTES:
            raise Malformed
        if len(self._unread) < size:
            return None
        text = bytes(self._unread[4:size]).decode(errors="surrogateescape")
        del self._unread[:size]
        return dict(_pair(field) for field in text.split("\0"))

    def _deliver(self, message: dict[str, str]) -> None:
        count = int(message.pop("descriptors"))
        mine, self._received = self._received[:count], self._received[count:]
        reply = Reply(message, mine)
        future = self._waiting.pop(int(message.pop("id")), None)
        if future is None or future.done():
            reply.close()
        else:
            future.set_result(reply)


def _encoded(message: Mapping[str, Value]) -> bytes:
    fields: list[str] = []
    for name, value in message.items():
        match value:
            case str() | int():
                fields.append(f"{name}={value}")
            case Mapping():
                fields += [f"{name}={key}={item}" for key, item in value.items()]
            case _:
                fields += [f"{name}={item}" for item in value]
    if any("\0" in field for field in fields):
        raise ValueError("a NUL byte cannot be part of a command, an environment or a path")
    return b"\0".join(field.encode(errors="surrogateescape") for field in fields)


def _pair(field: str) -> tuple[str, str]:
    name, _, value = field.partition("=")
    return name, value


def _fail(reply: asyncio.Future[Reply]) -> None:
    reply.set_exception(SandboxLost("the sandbox has ended"))
    reply.exception()


def _discard(reply: asyncio.Future[Reply]) -> None:
    """Nobody waits for *reply* any more: close what came with it."""
    if not reply.cancelled() and reply.exception() is None:
        reply.result().close()


def _close(descriptors: Sequence[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
