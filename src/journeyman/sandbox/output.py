"""A command's output as it comes out of its pipe.

Knows nothing of commands or of sandboxes.
"""

from __future__ import annotations

import asyncio
import os

from journeyman.domain.bounded import Bounded
from journeyman.sandbox import OnOutput

READ_BYTES = 1 << 18
BURST_BYTES = 4 << 20
"""How much one command may write before the loop turns to others for a moment."""
PAUSE_SECONDS = 0.005


class Pipe:
    """A pipe whose reading end the running loop empties until every writer is gone."""

    def __init__(
        self, limit_bytes: int, on_output: OnOutput | None = None, *, terminal: int | None = None
    ) -> None:
        """*terminal*: its other end, ours from now on, to be read in place of a pipe."""
        self.kept = Bounded(limit_bytes)
        self._writer: int | None = None
        if terminal is None:
            self._reader, self._writer = os.pipe2(os.O_CLOEXEC)
        else:
            self._reader = terminal
        self._untyped = memoryview(b"")
        os.set_blocking(self._reader, False)
        self._on_output = on_output
        self._loop = asyncio.get_running_loop()
        self._burst = 0
        self._paused: asyncio.TimerHandle | None = None
        self._ended = asyncio.Event()
        self._open = True
        self._loop.add_reader(self._reader, self._readable)

    def give_to(self, uid: int, gid: int) -> None:
        """Let that account open the pipe by name, as /dev/stdout does."""
        os.fchown(self._reader, uid, gid)

    def type(self, text: bytes) -> None:
        """Write *text* to the terminal, as fast as it takes it."""
        self._untyped = memoryview(text)
        self._loop.add_writer(self._reader, self._typable)

    def give_writer(self) -> int:
        """The writing end, once; whoever takes it closes it."""
        assert self._writer is not None
        writer, self._writer = self._writer, None
        return writer

    async def settle(self, grace_seconds: float) -> None:
        """Wait until the pipe ends, at most *grace_seconds* while somebody keeps it open."""
        try:
            async with asyncio.timeout(grace_seconds):
                await self._ended.wait()
        except TimeoutError:
            return

    def release(self) -> int | None:
        """Stop reading. The reading end while somebody may still write; otherwise it is closed."""
        if not self._open:
            return None
        self._open = False
        self._stop()
        if self._writer is not None:
            os.close(self._writer)
        if self._writer is not None or self._ended.is_set():
            os.close(self._reader)
            return None
        return self._reader

    def _stop(self) -> None:
        self._loop.remove_reader(self._reader)
        self._loop.remove_writer(self._reader)
        if self._paused is not None:
            self._paused.cancel()

    def _typable(self) -> None:
        try:
            self._untyped = self._untyped[os.write(self._reader, self._untyped) :]
        except BlockingIOError:
            return
        except OSError:  # nobody is there any more
            self._untyped = memoryview(b"")
        if not self._untyped:
            self._loop.remove_writer(self._reader)

    def _readable(self) -> None:
        try:
            data = os.read(self._reader, READ_BYTES)
        except BlockingIOError:
            return
        except OSError:  # a terminal's way to end
            data = b""
        if not data:
            self._stop()
            self._ended.set()
            return
        self.kept.add(data)
        if self._on_output is not None:
            self._on_output(data)
        self._burst += len(data)
        if self._burst > BURST_BYTES:
            self._loop.remove_reader(self._reader)
            self._paused = self._loop.call_later(PAUSE_SECONDS, self._resume)

    def _resume(self) -> None:
        self._burst = 0
        self._loop.add_reader(self._reader, self._readable)
