"""What a client sends, taken in whole before git is started for it: a slow client costs a
connection and some disk, and keeps no git waiting.

Knows nothing of git.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

CHUNK = 1 << 18
IN_MEMORY = 1 << 20
GZIP = 16 + zlib.MAX_WBITS


class Gone(Exception):
    """The client has left, sends nonsense, or moves too little."""


@dataclass(frozen=True)
class Speed:
    """The slowest that is put up with: in any pause, and on the whole."""

    stall_seconds: float
    grace_seconds: float
    bytes_per_second: float
    """On average, once the grace is over."""


class Pace:
    """One transfer's deadline: it moves on with what is moved."""

    def __init__(self, speed: Speed) -> None:
        self._speed = speed
        self._until = time.monotonic() + speed.grace_seconds

    def moved(self, count: int) -> None:
        self._until += count / self._speed.bytes_per_second

    def timeout(self) -> asyncio.Timeout:
        left = self._until - time.monotonic()
        return asyncio.timeout(max(0.0, min(self._speed.stall_seconds, left)))


async def take_in(
    receive: Receive, *, gzipped: bool, most: int, speed: Speed, directory: Path
) -> IO[bytes]:
    """The body, unpacked, to be read from its start and closed; on disk in *directory* when it is
    large. Of more than *most* bytes so much is kept that git finds it too long, and says so."""
    # Closed by the caller, or here when it does not come to that.
    body: IO[bytes] = tempfile.SpooledTemporaryFile(IN_MEMORY, dir=str(directory))  # noqa: SIM115
    try:
        size = 0
        async for chunk in _decoded(_raw(receive, speed), gzipped):
            await asyncio.to_thread(body.write, chunk)
            size += len(chunk)
            if size > most + CHUNK:
                break
        body.seek(0)
    except BaseException:
        body.close()
        raise
    return body


async def _raw(receive: Receive, speed: Speed) -> AsyncIterator[bytes]:
    pace, more = Pace(speed), True
    while more:
        try:
            async with pace.timeout():
                message = await receive()
        except TimeoutError as error:
            raise Gone from error
        if message["type"] == "http.disconnect":
            raise Gone
        chunk: bytes = message.get("body", b"")
        pace.moved(len(chunk))
        yield chunk
        more = message.get("more_body", False)


async def _decoded(body: AsyncIterator[bytes], gzipped: bool) -> AsyncIterator[bytes]:
    """*body*, unpacked in pieces that stay small however well it was packed."""
    unpacker = zlib.decompressobj(GZIP) if gzipped else None
    async for chunk in body:
        if unpacker is None:
            yield chunk
            continue
        while chunk:
            try:
                yield unpacker.decompress(chunk, CHUNK)
            except zlib.error as error:
                raise Gone from error
            chunk = unpacker.unconsumed_tail
    if unpacker is not None:
        yield unpacker.flush()
