"""Bundles as they leave a sandbox: one ref, on top of commits that the mirror has.

The header is read here and the pack goes to `git index-pack --strict`: `git fetch` of a bundle
checks no object before git 2.46, and obeys capabilities of a header that its maker chose.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from journeyman import git
from journeyman.git import GitError
from journeyman.workspace import BundleRefused

REF = "refs/journeyman/checkpoint"
"""The one ref that a bundle brings."""
SIGNATURE = b"# v2 git bundle\n"
HEADER_LIMIT = 1 << 20
UNPACK_SECONDS = 600
_PREREQUISITE = re.compile(rb"-([0-9a-f]{40})( .*)?")
_REFERENCE = re.compile(rb"([0-9a-f]{40}) (.+)")


@dataclass(frozen=True)
class Header:
    prerequisites: tuple[str, ...]
    sha: str
    """Where `REF` points."""
    size: int
    """Bytes before the pack."""


def parse(bundle: bytes) -> Header:
    """Raises BundleRefused for all but a version 2 bundle with exactly `REF`."""
    end = bundle.find(b"\n\n", 0, HEADER_LIMIT)
    if not bundle.startswith(SIGNATURE) or end < 0:
        raise BundleRefused("What left the sandbox is not a git bundle.")
    needed, refs = [], []
    for line in bundle[len(SIGNATURE) : end].split(b"\n"):
        if found := _PREREQUISITE.fullmatch(line):
            needed.append(found[1].decode())
        elif found := _REFERENCE.fullmatch(line):
            refs.append((found[1].decode(), found[2]))
        else:
            raise BundleRefused(f"The bundle has a header line that is not one: {line[:100]!r}")
    if len(refs) != 1 or refs[0][1] != REF.encode():
        raise BundleRefused(f"The bundle must bring {REF} and no other ref.")
    return Header(tuple(needed), refs[0][0], end + 2)


async def unpack(bundle: bytes, repository: Path, sha: str) -> None:
    """Put the bundle's objects, checked, into the bare *repository*; *sha* must be among them."""
    header = parse(bundle)
    try:
        await git.run(
            *("index-pack", "--stdin", "--fix-thin", f"--strict={_TOLERATED}"),
            git_dir=repository,
            stdin=memoryview(bundle)[header.size :],
            timeout_seconds=UNPACK_SECONDS,
        )
        await git.run("update-ref", REF, header.sha, git_dir=repository)
        await git.run("merge-base", "--is-ancestor", sha, REF, git_dir=repository)
    except GitError as error:
        raise BundleRefused(f"Git refuses what left the sandbox: {error.message}") from error


_TOLERATED = ",".join(
    f"{fault}=ignore"
    for fault in (
        "badDate",
        "badDateOverflow",
        "badEmail",
        "badName",
        "badTimezone",
        "missingEmail",
        "missingNameBeforeEmail",
        "missingSpaceBeforeDate",
        "missingSpaceBeforeEmail",
        "missingTaggerEntry",
        "zeroPaddedDate",
        "zeroPaddedFilemode",
    )
)
"""Untidy history of the repository itself (the agent may have merged it), as in git's own
`gitconfig`.
"""
