"""One git process behind one HTTP request: bytes both ways in constant memory, killed when the
client leaves.

Knows nothing of who asks; they have been let in.
"""

from __future__ import annotations

import asyncio
import contextlib
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from journeyman import git
from journeyman.forge.embedded.bodies import CHUNK, Gone, Pace, Speed
from journeyman.forge.embedded.forwarding import Forwarding

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers = Sequence[tuple[bytes, bytes]]

STOP_SECONDS = 2


@dataclass(frozen=True)
class Pack:
    """What git is run for.

    *verb* is `upload-pack` or `receive-pack`; *max_bytes* bounds what is pushed.
    """

    directory: Path
    verb: str
    advertise: bool
    protocol: str
    max_bytes: int
    speed: Speed
    to_home: Forwarding | None = None
    """Where what is pushed goes first."""


async def advertise(pack: Pack) -> bytes | None:
    """The list of the refs, once git has made all of it; None when git failed."""
    process = await _start(pack)
    try:
        output, _ = await process.communicate()
    finally:
        await git.stop(process, STOP_SECONDS)
    if process.returncode:
        return None
    return output if _speaks_v2(pack) else _announcement(pack.verb) + output


async def serve(
    pack: Pack, body: IO[bytes], headers: Headers, receive: Receive, send: Send
) -> bool:
    """Answer the request from git, which is given *body*.

    False when git failed without a word: then nothing was sent either.
    """
    process = await _start(pack)
    try:
        feeding = asyncio.create_task(_feed(process, body, receive))
        answering = asyncio.create_task(_answer(pack, process, headers, send))
        try:
            return await _first_end(feeding, answering)
        finally:
            feeding.cancel()
            answering.cancel()
            await asyncio.gather(feeding, answering, return_exceptions=True)
    except (Gone, OSError, TimeoutError):
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
    hooks: tuple[str, ...] = ()
    if (to_home := pack.to_home) is not None:
        hooks, extra = ("-c", f"core.hooksPath={to_home.hooks}"), {**extra, **to_home.env}
    arguments = git.command(
        *hooks,
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
        env=git.environment(to_home.protocols if to_home else "", extra),
        cwd="/",
        start_new_session=True,
    )


async def _feed(process: Process, body: IO[bytes], receive: Receive) -> None:
    """*body* into git; then wait for the client to leave, which raises Gone."""
    assert process.stdin
    stdin = process.stdin
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        while chunk := await asyncio.to_thread(body.read, CHUNK):
            stdin.write(chunk)
            await stdin.drain()
    stdin.close()
    while (await receive())["type"] != "http.disconnect":
        pass
    raise Gone


async def _answer(pack: Pack, process: Process, headers: Headers, send: Send) -> bool:
    assert process.stdout
    chunk = await process.stdout.read(CHUNK)
    if not chunk and await process.wait():
        return False
    await send({"type": "http.response.start", "status": 200, "headers": list(headers)})
    pace = Pace(pack.speed)
    while chunk:
        async with pace.timeout():
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        pace.moved(len(chunk))
        chunk = await process.stdout.read(CHUNK)
    await send({"type": "http.response.body", "body": b""})
    return True


def _speaks_v2(pack: Pack) -> bool:
    """Pushing has no version 2: there git falls back to version 0."""
    return pack.verb == "upload-pack" and "version=2" in pack.protocol.split(":")


def _announcement(verb: str) -> bytes:
    line = f"# service=git-{verb}\n".encode()
    return b"%04x" % (len(line) + 4) + line + b"0000"
