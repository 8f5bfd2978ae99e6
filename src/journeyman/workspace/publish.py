"""From a bundle that left a sandbox to a branch on the forge, or to a patch.

The bundle is hostile until git has checked it: it is unpacked in a bare repository of the service's
own, which lives for one call. Knows nothing of sessions or of the sandbox.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog

from journeyman import git
from journeyman.forge import PushRejected, Remote
from journeyman.git import GitError
from journeyman.workspace import BundleRefused, bundles, remotes, scratch

PUSH_SECONDS = 600
PATCH_LIMIT = 64 << 20
BRANCH = "refs/heads/"
PUSH = ("push", "--quiet", "--porcelain", "--no-verify", "--no-follow-tags", "--no-signed")
DIFF = ("diff", "--binary", "--full-index", "--no-color", "--no-ext-diff", "--no-textconv")
LOG = (
    *("log", "--stdin", "--ignore-missing", "--format=%w(0,1,1)%B"),
    *("--patch", "--cc", "--unified=0", *DIFF[3:]),
)
"""Messages are indented, so that nothing in one passes for a part of a diff."""
INSPECTED_BYTES = 256 << 20
KNOWN_BYTES = 16 << 20
"""Of the list of the mirror's branches."""
PIECE_BYTES, LINE_BYTES = 1 << 20, 4 << 20
"""Of what is inspected at once; a longer line is cut."""
INSPECTED_FILE = {
    "GIT_CONFIG_COUNT": "1",
    "GIT_CONFIG_KEY_0": "core.bigFileThreshold",
    "GIT_CONFIG_VALUE_0": "2m",
}
"""A larger file is data to git, and keeps nothing else from being inspected."""
_SHA = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")

log = structlog.get_logger()
Inspect = Callable[[str], Awaitable[None]]
"""Gets a history piece by piece, each of whole lines without the last one's end."""


@dataclass(frozen=True)
class Work:
    """What is to be published: *sha*, which *bundle* brings on top of *base_sha* of *mirror*."""

    bundle: bytes
    mirror: Path
    base_sha: str
    sha: str

    def __post_init__(self) -> None:
        for name in (self.base_sha, self.sha):
            if not _SHA.fullmatch(name):
                raise BundleRefused(f"{name[:100]!r} is not a commit id.")


class Publisher:
    """Works in throw-away repositories below *root*, which only the service may read."""

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()

    async def deliver(
        self,
        work: Work,
        *,
        head_ref: str,
        remote: Remote,
        expected_old: str | None,
        theirs: str | None = None,
        inspect: Inspect | None = None,
    ) -> str:
        """Push the commit to the branch *head_ref*; gives the commit id.

        *inspect* gets the message of each commit that the mirror has on no branch and what it
        changes, before anything is pushed, and refuses by raising. It is not shown binary files,
        larger ones than INSPECTED_FILE says, and what comes after INSPECTED_BYTES or after the
        time that git is given: that is a warning in the log.
        *theirs* is a commit of somebody else's at the end of the branch: the work must hold it.
        *expected_old* is where the branch must be, None that it must not exist; when it is at the
        commit already, that is success. Raises BundleRefused; PushRejected when the forge (or
        somebody's push meanwhile) stands against it; another ForgeError when it could not be asked.
        """
        if not remote.writable:
            raise PushRejected("The user may not push to this repository.", permanent=True)
        async with self._unpacked(work) as repository:
            await _descends(repository, work)
            if theirs is not None and not await _holds(repository, work.sha, theirs):
                raise PushRejected(
                    f"Somebody else has pushed {theirs[:12]} to {head_ref!r} meanwhile, which is "
                    "no part of the work.",
                    permanent=True,
                )
            if inspect is not None:
                await _show(repository, work, inspect)
            try:
                await _push(repository, work.sha, head_ref, remote, expected_old or "")
            except GitError as error:
                raise remotes.refused(error) from error
        return work.sha

    async def patch(self, work: Work, *, limit_bytes: int = PATCH_LIMIT) -> bytes:
        """The difference between the base and the commit, as `git apply` takes it.

        Raises BundleRefused, also for one that is larger than the limit.
        """
        async with self._unpacked(work) as repository:
            try:
                return await git.run(
                    *(*DIFF, work.base_sha, work.sha),
                    git_dir=repository,
                    limit_bytes=limit_bytes,
                )
            except GitError as error:
                raise BundleRefused(f"The patch cannot be made: {error.message}") from error

    async def sweep(self) -> None:
        """Remove what processes that died in the middle have left."""
        await scratch.sweep(self._root)

    @asynccontextmanager
    async def _unpacked(self, work: Work) -> AsyncIterator[Path]:
        """A bare repository with the bundle's commits; gone at every end."""
        async with scratch.scratch(self._root) as directory:
            repository = directory / "work.git"
            await git.run("init", "--quiet", "--bare", "--template=", "--", str(repository))
            alternates = repository / "objects" / "info" / "alternates"
            alternates.parent.mkdir(exist_ok=True)
            alternates.write_text(f"{work.mirror.absolute() / 'objects'}\n")
            await bundles.unpack(work.bundle, repository, work.sha)
            yield repository


async def _show(repository: Path, work: Work, inspect: Inspect) -> None:
    """The messages and diffs of all new commits, newest first."""
    listing = ("for-each-ref", "--format=^%(objectname)", "refs/heads", "refs/tags")
    pieces = _Pieces(inspect)
    try:
        known = await git.run(*listing, git_dir=work.mirror, limit_bytes=KNOWN_BYTES)
        await git.run(
            *LOG,
            git_dir=repository,
            stdin=f"{work.sha}\n^{work.base_sha}\n".encode() + known,
            env=INSPECTED_FILE,
            limit_bytes=INSPECTED_BYTES,
            take=pieces.take,
        )
    except GitError as error:
        if error.exit_code is not None:
            raise BundleRefused(f"The work cannot be inspected: {error.message}") from error
        log.warning("publish.not_inspected", sha=work.sha, error=error.message)
    await pieces.end()


class _Pieces:
    """Cuts what comes where lines end."""

    def __init__(self, inspect: Inspect) -> None:
        self._inspect = inspect
        self._held = bytearray()

    async def take(self, data: bytes) -> None:
        self._held += data
        if len(self._held) < PIECE_BYTES:
            return
        line_end = self._held.rfind(b"\n")
        if line_end >= 0 or len(self._held) > LINE_BYTES:
            await self._pass_on(line_end if line_end >= 0 else len(self._held))

    async def end(self) -> None:
        if self._held:
            await self._pass_on(len(self._held.rstrip(b"\n")))

    async def _pass_on(self, end: int) -> None:
        piece = self._held[:end].decode(errors="replace")
        del self._held[: end + 1]
        await self._inspect(piece)


async def _holds(repository: Path, sha: str, theirs: str) -> bool:
    """False also for a commit that is nowhere here."""
    try:
        await git.run("merge-base", "--is-ancestor", theirs, sha, git_dir=repository)
    except GitError as error:
        if error.exit_code is None:
            raise
        return False
    return True


async def _descends(repository: Path, work: Work) -> None:
    try:
        await git.run("merge-base", "--is-ancestor", work.base_sha, work.sha, git_dir=repository)
    except GitError as error:
        raise BundleRefused(
            f"{work.sha} is not built on {work.base_sha}, where the work began; "
            "its patch is still to be had."
        ) from error


async def _push(repository: Path, sha: str, head_ref: str, remote: Remote, old: str) -> None:
    ref = f"{BRANCH}{head_ref}"
    await git.run(
        *(*PUSH, f"--force-with-lease={ref}:{old}", "--", remote.url, f"{sha}:{ref}"),
        git_dir=repository,
        protocols=remotes.protocol(remote),
        env=remote.env,
        timeout_seconds=PUSH_SECONDS,
    )
