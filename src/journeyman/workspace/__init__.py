"""Git for one session: a mirror on the host, a checkout inside the sandbox, results as bundles.

Knows forges and sandboxes by their contracts only, and never the store. No git of the host ever
looks into a tree that an agent can write: what leaves the sandbox is data.
"""

from __future__ import annotations

from dataclasses import dataclass


class WorkspaceError(Exception):
    """Git inside the sandbox failed; the message is what it said, untrusted. `checkout` mends a
    workspace whose `.git` is gone.
    """


class MirrorBroken(WorkspaceError):
    """Git inside could not read what the mirror should have; it is to be built again."""


class BundleRefused(Exception):
    """What left the sandbox is no bundle of good commits on top of the base, or too large."""


@dataclass(frozen=True)
class Commit:
    sha: str
    subject: str


@dataclass(frozen=True)
class Changes:
    """What the branch's commits did since the base; untrusted text."""

    files: int
    insertions: int
    deletions: int
    commits: tuple[Commit, ...]
    """Newest first."""


@dataclass(frozen=True)
class FileChange:
    """One file before and after; empty where it is not there, None: too large to be read. All of
    it is untrusted."""

    path: str
    before: bytes | None
    after: bytes | None
