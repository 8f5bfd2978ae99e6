"""A command in the sandbox that is talked to while it runs.

Knows nothing of what is said.
"""

from __future__ import annotations

import asyncio
import errno
from asyncio import StreamReader, StreamWriter
from collections.abc import Awaitable, Callable

from journeyman.sandbox.output import Pipe
from journeyman.sandbox.wire import Reply

NOT_FOUND, NOT_EXECUTABLE = 127, 126


class Talking:
    """A Process."""

    def __init__(
        self,
        stdout: StreamReader,
        stdin: StreamWriter,
        errors: Pipe,
        ended: asyncio.Future[Reply],
        end: Callable[[], Awaitable[None]],
    ) -> None:
        """*end*: kills it and lets *errors* go."""
        self.stdout = stdout
        self.stdin = stdin
        self._errors = errors
        self._ended = ended
        self._end = end
        self._closing: asyncio.Task[None] | None = None
        self._exit_code: int | None = None

    @property
    def errors(self) -> bytes:
        """See Process.errors."""
        return self._errors.kept.content()

    async def wait(self) -> int:
        """See Process.wait."""
        await asyncio.wait([self._ended])
        if self._exit_code is None:
            self._exit_code = exit_code(self._ended.result(), self._errors)
        return self._exit_code

    async def kill(self) -> None:
        """See Process.kill."""
        if self._closing is None:
            self._closing = asyncio.create_task(self._close())
        await asyncio.shield(self._closing)

    async def _close(self) -> None:
        try:
            await self._end()
        finally:
            self.stdin.transport.abort()


def exit_code(reply: Reply, errors: Pipe) -> int:
    """What *reply* says of a command's end; why it could not begin is added to *errors*."""
    if "exit" in reply.fields:
        return int(reply.fields["exit"])
    place = reply.fields.get("path")
    text = f"cannot run: {reply.fields['error']}" + (f": {place}" if place else "")
    errors.kept.add(text.encode(errors="replace") + b"\n")
    return NOT_FOUND if int(reply.fields["errno"]) == errno.ENOENT else NOT_EXECUTABLE
