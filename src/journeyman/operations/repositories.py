"""The embedded forge's repositories in a backup: the refs that agree with the database, and every
object that they need.

Git only ever adds objects here (`gc` is off), so a ref that was read is whole in what is copied
after it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Set
from pathlib import Path

from journeyman import git
from journeyman.domain.errors import AppError, Code
from journeyman.git import GitError
from journeyman.operations.archive import Writer

LISTING = 256 << 20
"""Bytes of names and hashes of one repository's refs."""
PASSING = (".lock", ".keep")
"""Files that git makes beside others while it works."""
FORMAT = "--format=%(objectname) %(refname)"

Refs = Mapping[str, str]
"""Hashes by full name."""


async def refs_of(repository: Path) -> Refs:
    try:
        listed = await git.run("for-each-ref", FORMAT, git_dir=repository, limit_bytes=LISTING)
    except GitError as error:
        raise AppError(Code.UNAVAILABLE, f"{repository} cannot be read: {error.message}") from error
    pairs = (line.split(" ", 1) for line in listed.decode("utf-8", "surrogateescape").splitlines())
    return {name: sha for sha, name in pairs}


def agreed(before: Refs | None, after: Refs, at_work: Set[str]) -> Refs:
    """What the refs were when the database was read, between *before* and *after*.

    A branch of a session *at work* is as it stood before: a push that the database has not yet
    heard of would be taken for somebody else's. All others are as they stand after: what the
    database says of a pull request or a merge is there.
    """
    if before is None:
        return after
    held = {name: before[name] for name in at_work if name in before}
    return {name: sha for name, sha in after.items() if name not in at_work} | held


async def add(writer: Writer, repository: Path, refs: Refs) -> None:
    """Read after *refs* were, so that every object is there."""
    await asyncio.to_thread(_add, writer, repository, refs)


def _add(writer: Writer, repository: Path, refs: Refs) -> None:
    name = f"repositories/{repository.name}"
    lines = (f"{sha} {ref}\n" for ref, sha in sorted(refs.items()))
    writer.add_bytes(f"{name}/packed-refs", "".join(lines).encode("utf-8", "surrogateescape"))
    for path in (repository / "HEAD", repository / "config", *_objects(repository / "objects")):
        with path.open("rb") as content:
            writer.add(f"{name}/{path.relative_to(repository)}", content)


def _objects(directory: Path) -> Iterator[Path]:
    for path in sorted(directory.rglob("*")):
        passing = path.name.startswith("tmp_") or path.suffix in PASSING
        if path.is_file() and not passing and "incoming-" not in str(path.relative_to(directory)):
            yield path


async def check(repository: Path) -> None:
    """Whether everything that the refs need is there. INVALID names what is not."""
    for part in ("objects", "refs"):
        (repository / part).mkdir(exist_ok=True, mode=0o700)
    try:
        await git.run(
            *("fsck", "--connectivity-only", "--no-dangling", "--no-progress"),
            git_dir=repository,
            timeout_seconds=3600,
        )
    except GitError as error:
        message = f"the repository {repository.name} in the backup is not whole: {error.message}"
        raise AppError(Code.INVALID, message) from error
