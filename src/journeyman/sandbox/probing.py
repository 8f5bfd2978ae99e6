"""Finding out what a backend gives here by really starting a sandbox, once.

Knows nothing of what isolates it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

from journeyman.sandbox import (
    Guarantee,
    Network,
    Probe,
    Sandbox,
    SandboxLost,
    SandboxSpec,
    SandboxUnavailable,
    folders,
)

PREFIX = "journeyman-probe-"
"""Begins the name of the folder of whatever is tried; the number of its process follows."""

Start = Callable[[SandboxSpec], Awaitable[Sandbox]]
Examine = Callable[[Sandbox], Awaitable[Probe]]


def prefix() -> str:
    """For a temporary folder of this process, which is swept when it could not remove it."""
    return f"{PREFIX}{os.getpid()}-"


class Probing:
    """The one probe of a backend."""

    def __init__(self, name: str, start: Start, examine: Examine) -> None:
        self._name = name
        self._start = start
        self._examine = examine
        self._lock = asyncio.Lock()
        self._probed: Probe | None = None

    async def probe(self) -> Probe:
        """See SandboxBackend.probe."""
        async with self._lock:
            if self._probed is None or not self._probed.available:
                self._probed = await self._try()
            return self._probed

    async def _try(self) -> Probe:
        directory = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix=prefix()))
        try:
            sandbox = await self._start(SandboxSpec("probe", directory, network=Network()))
            try:
                return await self._examine(sandbox)
            finally:
                await sandbox.close()
        except (SandboxUnavailable, SandboxLost) as error:
            hint = error.hint if isinstance(error, SandboxUnavailable) else ""
            failed = Guarantee(self._name, False, str(error), hint)
            return Probe(
                available=False, mode="none", guarantees=(failed,), hint=hint or str(error)
            )
        finally:
            await folders.remove(directory)


async def sweep() -> None:
    """Delete what was tried in by processes that are gone."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        owner = folder.name.removeprefix(PREFIX).partition("-")[0]
        with contextlib.suppress(FileNotFoundError):
            if not Path("/proc", owner).exists() and folder.stat().st_uid == os.geteuid():
                await folders.remove(folder)
