"""What git knows: branches, commits and what they changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


@dataclass(frozen=True)
class Signature:
    name: str
    email: str
    at: datetime


@dataclass(frozen=True)
class Commit:
    sha: str
    tree: str
    parents: tuple[str, ...]
    message: str
    author: Signature
    committer: Signature


@dataclass(frozen=True)
class ChangedFile:
    filename: str
    previous_filename: str | None
    """Before a rename or copy."""
    status: str
    """GitHub's words: added, removed, modified, renamed, copied, changed."""
    sha: str
    """Of the blob, after the change; before it, for a file that was removed."""
    additions: int
    deletions: int
    patch: str | None
    """None for a binary file, and where the whole is too large to be shown."""


class MergeMethod(StrEnum):
    MERGE = "merge"
    SQUASH = "squash"
    REBASE = "rebase"


@dataclass(frozen=True)
class MergePlan:
    """What to put on *base_ref*, which must still be at *base_sha* when it is done."""

    base_ref: str
    base_sha: str
    head_sha: str
    method: MergeMethod
    message: str
    committer: Signature


class NotMergeable(Exception):
    """The branches contradict each other, or one of them moved meanwhile."""


Tips = Mapping[str, str]
"""The commit at the end of each branch, by the branch's name."""
