"""Finished checkouts on this machine that sessions of a repository begin on without making one.

Each is made in a sandbox of its own that nothing but git runs in, and is only read from then on.
Knows sessions by their directories alone, which say what base they lie over.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
import uuid
from collections.abc import Collection
from pathlib import Path

import structlog

from journeyman import git
from journeyman.git import GitError
from journeyman.sandbox import (
    Limits,
    SandboxBackend,
    SandboxLost,
    SandboxSpec,
    SandboxUnavailable,
)
from journeyman.workspace import WorkspaceError, checkout

log = structlog.get_logger()

LEAST_FILES = 1_000
"""A smaller tree is checked out as quickly as it is laid over."""
MOST_CHANGED = 500
"""More files than that between a session's commit and the newest base ask for a new one."""
LIST_LIMIT = 256 << 20
MAKING = ".making-"
REPLACED_SECONDS = 3600.0
"""How long a base that has a newer one stays although nobody uses it."""
_FAILURES = (GitError, OSError, SandboxLost, SandboxUnavailable, WorkspaceError)


class Bases:
    """Bases at `root/<repository id>/<time>-<commit>`. Several processes may share *root*."""

    def __init__(
        self,
        root: Path,
        sandboxes: SandboxBackend,
        *,
        workspaces: Path,
        limits: Limits | None = None,
        least_files: int = LEAST_FILES,
    ) -> None:
        """*workspaces* holds the sessions' directories, each with a link to its base."""
        self._root = root.absolute()
        self._sandboxes = sandboxes
        self._workspaces = workspaces
        self._limits = limits or Limits()
        self._least_files = least_files
        self._making: dict[int, asyncio.Task[None]] = {}
        self._one_at_a_time = asyncio.Lock()

    async def find(self, repository_id: int, commit: str) -> Path | None:
        """That of *commit*, else the newest; None: the session makes a checkout of its own."""
        if not await self._sandboxes.overlays():
            return None
        there = self._of(repository_id)
        of_commit = [base for base in there if _commit(base) == commit]
        for base in reversed([*there, *of_commit]):
            with contextlib.suppress(FileNotFoundError):
                os.utime(base)
                return base
        return None

    def prepare(self, repository_id: int, commit: str, mirror: Path) -> None:
        """Make one of *commit* for later sessions, in the background, if it is worth it."""
        if repository_id not in self._making:
            task = asyncio.create_task(self._prepare(repository_id, commit, mirror))
            self._making[repository_id] = task
            task.add_done_callback(lambda _: self._making.pop(repository_id))

    async def prepared(self) -> None:
        """Wait until nothing is being made."""
        await asyncio.gather(*self._making.values())

    async def close(self) -> None:
        """Give up what is being made."""
        tasks = list(self._making.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def sweep(self, unused_since: float | None = None) -> None:
        """Remove what no session's directory refers to: bases that have a newer one, those that
        nobody has asked for since *unused_since* (Unix seconds), and what was never finished."""
        used = await asyncio.to_thread(self._used)
        for repository in self._root.glob("[0-9]*"):
            there = self._of(int(repository.name))
            for base in there:
                replaced = time.time() - REPLACED_SECONDS if base != there[-1] else 0
                if base not in used and base.stat().st_mtime < max(replaced, unused_since or 0):
                    await self._sandboxes.remove(_renamed(base, self._root))
        for making in self._root.glob(f"{MAKING}*"):
            owner = making.name.removeprefix(MAKING).partition("-")[0]
            if not Path("/proc", owner).exists():
                await self._sandboxes.remove(making)

    def _of(self, repository_id: int) -> list[Path]:
        """The newest last."""
        return sorted(self._root.joinpath(str(repository_id)).glob("[0-9]*"))

    def _used(self) -> Collection[Path]:
        # A session's other sandboxes have theirs a level below.
        links = [link for place in ("*", "*/*") for link in self._workspaces.glob(f"{place}/base")]
        return {link.readlink() for link in links if link.is_symlink()}

    async def _prepare(self, repository_id: int, commit: str, mirror: Path) -> None:
        try:
            async with self._one_at_a_time:
                if await self._sandboxes.overlays() and await self._wanted(
                    repository_id, commit, mirror
                ):
                    began = time.monotonic()
                    await self._make(repository_id, commit, mirror)
                    seconds = round(time.monotonic() - began, 3)
                    log.info("base.made", repository_id=repository_id, seconds=seconds)
        except _FAILURES as error:
            log.warning("base.failed", repository_id=repository_id, error=str(error))

    async def _wanted(self, repository_id: int, commit: str, mirror: Path) -> bool:
        there = self._of(repository_id)
        if not there:
            listing = ("ls-tree", "-r", "-z", "--name-only", commit)
            return await _count(mirror, *listing) >= self._least_files
        known = _commit(there[-1])
        if known == commit:
            return False
        differing = ("diff-tree", "-r", "-z", "--name-only", "--no-renames", known, commit)
        try:
            return await _count(mirror, *differing) > min(MOST_CHANGED, self._least_files)
        except GitError:  # the mirror was built again, without that commit
            return True

    async def _make(self, repository_id: int, commit: str, mirror: Path) -> None:
        self._root.mkdir(parents=True, exist_ok=True)
        name = f"{os.getpid()}-{uuid.uuid4().hex}"
        making = self._root / f"{MAKING}{name}"
        spec = SandboxSpec(
            id=f"base-{uuid.uuid4().hex}",
            directory=making,
            mirror=mirror,
            limits=self._limits,
            files={checkout.GITCONFIG: checkout.gitconfig("", "")},
            plain=True,
        )
        try:
            box = await self._sandboxes.start(spec)
            try:
                await checkout.make_base(box, commit)
            finally:
                await box.close()
            place = self._root / str(repository_id) / f"{time.time_ns()}-{commit}"
            place.parent.mkdir(exist_ok=True)
            making.rename(place)
        finally:
            if making.exists():
                await asyncio.shield(self._sandboxes.remove(making))


def _commit(base: Path) -> str:
    return base.name.partition("-")[2]


def _renamed(base: Path, root: Path) -> Path:
    """Out of the way first: who looks finds all of it or nothing."""
    leaving = root / f"{MAKING}{os.getpid()}-{base.name}"
    base.rename(leaving)
    return leaving


async def _count(mirror: Path, *listing: str) -> int:
    """How many names git lists."""
    return (await git.run(*listing, git_dir=mirror, limit_bytes=LIST_LIMIT)).count(b"\0")
