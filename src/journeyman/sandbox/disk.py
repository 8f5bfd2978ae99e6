"""The disk a session uses, measured from time to time: a folder has no limit of its own.

Knows nothing of sandboxes; tells who owns it when the limit is passed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

MAX_SHARE = 0.02
"""Of its time, how much measuring may take; a large tree is measured less often."""


class Disk:
    """The use of one session's *folders* together, against *limit_bytes*."""

    def __init__(self, folders: Sequence[Path], limit_bytes: int) -> None:
        self._folders = [str(folder) for folder in folders]
        self.limit_bytes = limit_bytes
        self.used_bytes = 0

    @property
    def over(self) -> bool:
        """True when the last measurement was above the limit."""
        return self.used_bytes > self.limit_bytes

    async def measure(self) -> None:
        """Take the use anew; what cannot be read does not count."""
        process = await asyncio.create_subprocess_exec(
            *("du", "-s", "-c", "-x", "--block-size=1", "--", *self._folders),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            output, _ = await process.communicate()
        except asyncio.CancelledError:
            if process.returncode is None:
                process.kill()
            await process.wait()
            raise
        used = output.splitlines()[-1:]  # the sum
        if used and (number := used[0].split(b"\t")[0]).isdigit():
            self.used_bytes = int(number)

    async def watch(self, interval_seconds: float, on_over: Callable[[], Awaitable[None]]) -> None:
        """Measure for ever; *on_over* each time the limit is newly passed."""
        pause = interval_seconds
        while True:
            await asyncio.sleep(pause)
            before, began = self.over, time.monotonic()
            await self.measure()
            pause = max(interval_seconds, (time.monotonic() - began) / MAX_SHARE)
            if self.over and not before:
                await on_over()
