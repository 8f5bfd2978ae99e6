"""A bare mirror per repository on this machine, which sandboxes read and nobody else writes.

Knows nothing of sessions. Sessions' results never enter a mirror: other sessions could read them.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from journeyman import git
from journeyman.forge import ForgeError, Remote
from journeyman.git import GitError
from journeyman.git.faults import Fault, fault_of
from journeyman.telemetry import metrics
from journeyman.telemetry.measured import measured
from journeyman.workspace import remotes

FETCH_SECONDS = 3600
CHECK_SECONDS = 1800
LOCK_POLL_SECONDS = 0.1
PACKS = 40
LOOSE = 2_000
"""More than these are merged."""
LEAST_FREE_BYTES = 1 << 20
"""With less, what failed has failed for that."""
RETIRED = ".retired-"
MAKING = ".making-"
REFSPECS = ("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
FETCH = (
    *("fetch", "--quiet", "--prune", "--no-tags", "--no-write-fetch-head", "--no-auto-gc"),
    # A submodule may be anywhere, and is no place to take this remote's credential to.
    "--no-recurse-submodules",
)
CONFIG = """
[core]
	sharedRepository = 0644
[gc]
	auto = 0
	pruneExpire = never
[maintenance]
	auto = false
"""
"""Readable by the sandbox's user; nothing that a running session may need is ever pruned."""

_Key = tuple[int, str, tuple[tuple[str, str], ...]]


class Mirrors:
    """Mirrors at `root/<repository id>.git`. Several processes may share *root*."""

    def __init__(self, root: Path, *, packs: int = PACKS, loose: int = LOOSE) -> None:
        self._packs = packs
        self._loose = loose
        self._root = root.absolute()
        self._locks: dict[int, asyncio.Lock] = {}
        self._waiting: dict[_Key, asyncio.Task[Path]] = {}

    def path(self, repository_id: int) -> Path:
        return self._root / f"{repository_id}.git"

    async def refresh(
        self, repository_id: int, remote: Remote, *, commit: str | None = None
    ) -> Path:
        """The mirror, as new as the remote was at this call; with *commit*, also when no branch
        holds it any more.

        Requests at one time share one fetch. A mirror that git cannot use is built again. Raises
        ForgeError.
        """
        _mark_used(self.path(repository_id))
        with measured("mirror.refresh", metrics.MIRROR), _kept():
            return await self._refresh(repository_id, remote, commit)

    async def _refresh(self, repository_id: int, remote: Remote, commit: str | None) -> Path:
        key = (repository_id, remote.url, tuple(sorted(remote.env.items())))
        flight = self._waiting.get(key)
        if flight is None:
            flight = asyncio.create_task(self._fly(key, remote))
            flight.add_done_callback(_seen)
            flight.add_done_callback(lambda ended: self._forget(key, ended))
            self._waiting[key] = flight
        mirror = await asyncio.shield(flight)
        if commit is not None:
            await self._ensure(repository_id, remote, commit)
        return mirror

    async def holding(self, repository_id: int, remote: Remote, commit: str) -> Path:
        """A mirror with *commit*: as it is when it has it, so that a forge that is away or slow
        holds up nobody. Raises ForgeError."""
        mirror = self.path(repository_id)
        _mark_used(mirror)
        if _whole(mirror) and await _has(mirror, commit):
            return mirror
        return await self.refresh(repository_id, remote, commit=commit)

    async def rebuild(
        self, repository_id: int, remote: Remote, *, commit: str | None = None
    ) -> Path:
        """Build it anew beside the old one and switch; for a mirror that proved corrupt in use.

        With *commit*, see `refresh`. Raises ForgeError.
        """
        with _kept():
            async with self._locked(repository_id):
                mirror = await self._build(self.path(repository_id), remote)
            if commit is not None:
                await self._ensure(repository_id, remote, commit)
        return mirror

    async def mend(self, repository_id: int, remote: Remote, *, commit: str) -> None:
        """See `rebuild`; nothing is done when it is whole: another session may have mended it, or
        what is missed was taken away by an agent. Reads all of it. Raises ForgeError."""
        mirror = self.path(repository_id)
        with _kept():
            async with self._locked(repository_id):
                if not await _is_sound(mirror, commit):
                    await self._build(mirror, remote)
            await self._ensure(repository_id, remote, commit)

    async def sweep(self, keep_seconds: float = 7 * 86400) -> None:
        """Remove what rebuilding replaced longer than *keep_seconds* ago, and what was never
        finished.

        A session that runs longer than that on a replaced mirror would lose it.
        """
        oldest = time.time() - keep_seconds
        for path in self._root.glob(".*-*"):
            if path.name.startswith((RETIRED, MAKING)) and path.stat().st_mtime < oldest:
                await asyncio.to_thread(shutil.rmtree, path, ignore_errors=True)

    async def tidy(self, unused_since: float, in_use: Collection[int]) -> None:
        """Retire mirrors that nobody has asked for since *unused_since* (Unix seconds) and that
        are not *in_use*; `sweep` removes those in the end."""
        for mirror in self._root.glob("[0-9]*.git"):
            repository_id = int(mirror.stem)
            if repository_id in in_use or mirror.stat().st_mtime >= unused_since:
                continue
            async with self._locked(repository_id):
                if mirror.exists() and mirror.stat().st_mtime < unused_since:
                    self._retire(mirror)

    def _retire(self, mirror: Path) -> None:
        """Out of the way: who has it open goes on with it until it is swept."""
        retired = self._root / f"{RETIRED}{time.time_ns()}-{mirror.name}"
        mirror.rename(retired)
        os.utime(retired)

    def _forget(self, key: _Key, ended: asyncio.Task[Path]) -> None:
        """A flight that never got as far as its lock must not be joined for ever."""
        if self._waiting.get(key) is ended:
            del self._waiting[key]

    async def _fly(self, key: _Key, remote: Remote) -> Path:
        async with self._locked(key[0]):
            # Who asks from here on may know of a push that this fetch misses.
            del self._waiting[key]
            return await self._fetch_or_build(self.path(key[0]), remote)

    async def _fetch_or_build(self, mirror: Path, remote: Remote) -> Path:
        if not _whole(mirror):
            return await self._build(mirror, remote)
        try:
            await _fetch(mirror, remote)
            await _compact(mirror, self._packs, self._loose)
        except GitError as error:
            if fault_of(error) not in (Fault.UNKNOWN, Fault.NOT_FOUND, Fault.BAD_OBJECTS):
                raise self._explained(error) from error
            return await self._build(mirror, remote)
        return mirror

    async def _build(self, mirror: Path, remote: Remote) -> Path:
        """A new mirror in place of *mirror*, which appears whole or not at all."""
        self._root.mkdir(parents=True, exist_ok=True)
        making = Path(tempfile.mkdtemp(prefix=MAKING, dir=self._root))
        making.chmod(0o755)
        try:
            new = making / mirror.name
            await _create(new, remote)
            if mirror.exists():
                self._retire(mirror)
            new.rename(mirror)
        except GitError as error:
            raise self._explained(error) from error
        finally:
            await asyncio.to_thread(shutil.rmtree, making, ignore_errors=True)
        return mirror

    def _explained(self, error: GitError) -> ForgeError:
        """Git does not always say that it is the disk."""
        told = remotes.explained(error, "fetched from")
        if shutil.disk_usage(self._root).free >= LEAST_FREE_BYTES:
            return told
        return ForgeError(f"{told} (No space left on device: {self._root})")

    async def _ensure(self, repository_id: int, remote: Remote, commit: str) -> None:
        mirror = self.path(repository_id)
        if await _has(mirror, commit):
            return
        async with self._locked(repository_id):
            try:
                await _fetch(mirror, remote, commit)
            except GitError as error:
                raise ForgeError(
                    f"The forge does not have the commit {commit} any more; start from a branch's "
                    f"present tip. ({error.message})",
                    permanent=fault_of(error) is not Fault.UNREACHABLE,
                ) from error

    @asynccontextmanager
    async def _locked(self, repository_id: int) -> AsyncIterator[None]:
        """The one who changes the mirror, among the tasks of this process and all processes."""
        self._root.mkdir(parents=True, exist_ok=True)
        async with self._locks.setdefault(repository_id, asyncio.Lock()):
            with open(self._root / f"{repository_id}.lock", "ab") as file:  # noqa: ASYNC230
                while not _try_lock(file.fileno()):  # noqa: ASYNC110  other processes hold it
                    await asyncio.sleep(LOCK_POLL_SECONDS)
                yield


def _try_lock(descriptor: int) -> bool:
    with contextlib.suppress(BlockingIOError):
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False


def _seen(flight: asyncio.Task[Path]) -> None:
    """All who asked may be gone when it fails; then nobody is left to be told."""
    if not flight.cancelled():
        flight.exception()


def _mark_used(mirror: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.utime(mirror)


def _whole(mirror: Path) -> bool:
    """Whether each pack ends as its index says; git itself may not notice that one is cut off."""
    try:
        return (mirror / "HEAD").is_file() and all(
            _end(index.with_suffix(".pack"), 20) == _end(index, 40)[:20]
            for index in mirror.glob("objects/pack/*.idx")
        )
    except OSError:
        return False


def _end(path: Path, size: int) -> bytes:
    with path.open("rb") as file:
        file.seek(-size, os.SEEK_END)
        return file.read()


async def _compact(mirror: Path, packs: int, loose: int) -> None:
    """Each fetch leaves a pack or loose objects, and many make git slow. Keeps every object,
    reachable or not."""
    many = len(list(mirror.glob("objects/pack/*.pack"))) > packs
    if many or sum(1 for _ in mirror.glob("objects/[0-9a-f][0-9a-f]/*")) > loose:
        with contextlib.suppress(GitError):  # an old git cannot; it goes on with many packs
            await git.run("repack", "-q", "-d", "-l", "--geometric=2", git_dir=mirror)


async def _create(mirror: Path, remote: Remote) -> None:
    await git.run("init", "--quiet", "--bare", "--template=", "--shared=0644", "--", str(mirror))
    with open(mirror / "config", "a") as config:  # noqa: ASYNC230
        config.write(CONFIG)
    (mirror / "config").chmod(0o644)
    await _fetch(mirror, remote)


async def _fetch(mirror: Path, remote: Remote, *refspecs: str) -> None:
    """All branches and tags, or only *refspecs*."""
    options = FETCH if not refspecs else tuple(o for o in FETCH if o != "--prune")
    await git.run(
        *(*options, "--", remote.url, *(refspecs or REFSPECS)),
        git_dir=mirror,
        protocols=remotes.protocol(remote),
        env=remote.env,
        timeout_seconds=FETCH_SECONDS,
    )


@contextmanager
def _kept() -> Iterator[None]:
    """A full disk is the repository's trouble, no bug."""
    try:
        yield
    except OSError as error:
        raise ForgeError(f"The repository's mirror cannot be kept: {error}") from error


async def _is_sound(mirror: Path, commit: str) -> bool:
    """Whether each object of its packs is what its name says, and *commit* is there with all that
    its tree names. Under the mirror's lock: who merges its packs removes some that were listed."""
    try:
        for index in sorted(mirror.glob("objects/pack/*.idx")):
            await git.run("verify-pack", "--", str(index), timeout_seconds=CHECK_SECONDS)
        listing = ("rev-list", "--objects", "--quiet", "--max-count=1", commit)
        await git.run(*listing, git_dir=mirror, timeout_seconds=CHECK_SECONDS)
    except GitError:
        return False
    return True


async def _has(mirror: Path, commit: str) -> bool:
    try:
        await git.run("cat-file", "-e", f"{commit}^{{commit}}", git_dir=mirror)
    except GitError:
        return False
    return True
