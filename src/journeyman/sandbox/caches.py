"""Folders that the sessions of one repository share, for what package managers have fetched.

Whatever one session leaves there, the next one of the same repository finds; no other ever sees it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path

from journeyman.sandbox import CACHE, Provision
from journeyman.sandbox.disk import Disk

ENVIRONMENT = {
    "XDG_CACHE_HOME": CACHE,
    "NPM_CONFIG_CACHE": f"{CACHE}/npm",
    "GOMODCACHE": f"{CACHE}/go-mod",
}
"""For programs that would not look in CACHE by themselves; pip, uv, yarn and others do."""
LEAVING = ".leaving-"
LEAVING_SECONDS = 86400.0
"""How long one that grew too large stays, for sessions that still use it."""

Remove = Callable[[Path], Awaitable[None]]


@dataclass(frozen=True)
class Options:
    """What an operator may say about caches."""

    wanted: bool
    limit_bytes: int
    """Of one repository's; what is larger is begun anew."""


class Caches:
    """Folders at `root/<repository id>`. Several processes may share *root*."""

    def __init__(self, root: Path, options: Options, *, remove: Remove) -> None:
        """*remove* deletes a folder, whoever owns its files."""
        self._root = root.absolute()
        self._options = options
        self._remove = remove

    async def folder(self, repository_id: int) -> Path:
        """That of the repository, made by its first sandbox; one that is too large is replaced."""
        folder = self._root / str(repository_id)
        if folder.exists():
            disk = Disk((folder,), self._options.limit_bytes)
            await disk.measure()
            if disk.over:
                folder.rename(self._root / f"{LEAVING}{time.time_ns()}-{repository_id}")
            else:
                os.utime(folder)
        return folder

    async def given(self, repository_id: int, provision: Provision) -> Provision:
        """*provision* with the repository's folder, and where programs find it, if wanted."""
        if not self._options.wanted:
            return provision
        env = {**ENVIRONMENT, **provision.env}
        return replace(provision, cache=await self.folder(repository_id), env=env)

    async def sweep(self, unused_since: float | None = None) -> None:
        """Remove what was replaced some time ago, and what nobody has asked for since
        *unused_since* (Unix seconds)."""
        for folder in self._root.glob("[0-9]*"):
            if folder.stat().st_mtime < (unused_since or 0):
                leaving = self._root / f"{LEAVING}{time.time_ns()}-{folder.name}"
                folder.rename(leaving)
        oldest = time.time_ns() - int(LEAVING_SECONDS * 1e9)
        for folder in self._root.glob(f"{LEAVING}*"):
            if int(folder.name.removeprefix(LEAVING).partition("-")[0]) < oldest:
                await self._remove(folder)
