"""One git process behind one HTTP request: bytes both ways in constant memory, killed when the
client leaves.

Knows nothing of who asks; they have been let in.
"""

from __future__ import annotations

import asyncio
import contextlib
import zlib
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from journeyman import git

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers = Sequence[tuple[bytes, bytes]]

CHUNK = 1 << 18
STOP_SECONDS = 2
GZIP = 16 + zlib.MAX_WBITS


@dataclass(frozen=True)
class Pack:
    """What git is run for.

    *verb* is `upload-pack` or `receive-pack`; *max_bytes* bounds what is pushed.
    """

    directory: Path
    verb: str
    advertise: bool
    protocol: str
    gzipped: bool
    max_bytes: int
    stall_seconds: float


class _Gone(Exception):
    """The client has left, sends nonsense, or moves no byte any more."""


async def serve(pack: Pack, headers: Headers, receive: Receive, send: Send) -> bool:
    """Answer the request from git.

    False when git failed without a word: then nothing was sent either.
    """
    process = await _start(pack)
    try:
        feeding = asyncio.create_task(_feed(pack, process, receive))
        answering = asyncio.create_task(_answer(pack, process, headers, send))
        try:
            return await _first_end(feeding, answering)
        finally:
            feeding.cancel()
            answering.cancel()
            await asyncio.gather(feeding, answering, return_exceptions=True)
    except (_Gone, OSError, TimeoutError):
        return True  # there is nobody to tell
    finally:
        await git.stop(process, STOP_SECONDS)


async def _first_end(feeding: asyncio.Task[None], answering: asyncio.Task[bool]) -> bool:
    """Until the answer is complete; feeding ends before it only when the client has gone."""
    await asyncio.wait({feeding, answering}, return_when=asyncio.FIRST_COMPLETED)
    if not answering.done():
        await feeding
    return await answering


async def _start(pack: Pack) -> Process:
    options = ["--stateless-rpc", *(["--advertise-refs"] if pack.advertise else [])]
    extra = {"GIT_PROTOCOL": pack.protocol} if pack.protocol else {}
    arguments = git.command(
        *("-c", f"safe.directory={pack.directory}"),
        *("-c", f"receive.maxInputSize={pack.max_bytes}"),
        *(pack.verb, *options, str(pack.directory)),
    )
    return await asyncio.create_subprocess_exec(
        *arguments,
        stdin=PIPE,
        stdout=PIPE,
        stderr=DEVNULL,
        limit=CHUNK,
        env=git.environment(extra=extra),
        cwd="/",
        start_new_session=True,
    )


async def _feed(pack: Pack, process: Process, receive: Receive) -> None:
    """The request's body into git; then wait for the client to leave, which raises _Gone."""
    assert process.stdin
    stdin = process.stdin
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        async for chunk in _decoded(_body(pack, receive), pack.gzipped):
            stdin.write(chunk)
            await stdin.drain()
    stdin.close()
    while (await receive())["type"] != "http.disconnect":
        pass
    raise _Gone


async def _body(pack: Pack, receive: Receive) -> AsyncIterator[bytes]:
    more = True
    while more:
        async with asyncio.timeout(pack.stall_seconds):
            message = await receive()
        if message["type"] == "http.disconnect":
            raise _Gone
        yield message.get("body", b"")
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
                raise _Gone from error
            chunk = unpacker.unconsumed_tail
    if unpacker is not None:
        yield unpacker.flush()


async def _answer(pack: Pack, process: Process, headers: Headers, send: Send) -> bool:
    assert process.stdout
    chunk = await process.stdout.read(CHUNK)
    if not chunk and await process.wait():
        return False
    await send({"type": "http.response.start", "status": 200, "headers": list(headers)})
    if pack.advertise and not _speaks_v2(pack):
        chunk = _announcement(pack.verb) + chunk
    while chunk:
        async with asyncio.timeout(pack.stall_seconds):
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        chunk = await process.stdout.read(CHUNK)
    await send({"type": "http.response.body", "body": b""})
    return True


def _speaks_v2(pack: Pack) -> bool:
    """Pushing has no version 2: there git falls back to version 0."""
    return pack.verb == "upload-pack" and "version=2" in pack.protocol.split(":")


def _announcement(verb: str) -> bytes:
    line = f"# service=git-{verb}\n".encode()
    return b"%04x" % (len(line) + 4) + line + b"0000"
