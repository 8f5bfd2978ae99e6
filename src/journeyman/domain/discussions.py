"""What people say on a forge: issues, comments, reactions; and what its checks say of a commit.

All of it is written by others, and untrusted.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from journeyman.domain.repositories import Account


class Reaction(StrEnum):
    """GitHub's names."""

    EYES = "eyes"
    ROCKET = "rocket"
    PLUS_ONE = "+1"
    MINUS_ONE = "-1"
    CONFUSED = "confused"
    HEART = "heart"
    HOORAY = "hooray"
    LAUGH = "laugh"


class Place(StrEnum):
    """What a reaction is given to."""

    ISSUE = "issue"
    """An issue or a pull request, by its number."""
    COMMENT = "comment"
    """A comment in the conversation of either, by its id."""
    REVIEW_COMMENT = "review_comment"
    """A comment on a line of a pull request, by its id."""


@dataclass(frozen=True)
class Issue:
    number: int
    title: str
    body: str
    author: Account
    association: str
    """Of the author with the repository, in GitHub's words: OWNER, MEMBER, COLLABORATOR, …, NONE;
    empty where the forge does not tell."""
    is_open: bool
    is_pull: bool
    labels: tuple[str, ...]
    assignees: tuple[Account, ...]


@dataclass(frozen=True)
class PullHead:
    """What a pull request would bring where."""

    id: int
    """Its database id, not its number."""
    head_ref: str
    head_sha: str
    base_ref: str
    from_fork: bool
    """Its branch is in another repository."""
    is_open: bool
    is_mergeable: bool | None
    """False: there are conflicts; None: the forge does not know yet."""


@dataclass(frozen=True)
class Comment:
    id: int
    author: Account
    association: str
    body: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True)
class ReviewComment(Comment):
    """On a line of a pull request's difference."""

    path: str
    line: int | None
    """None: the line is not there any more."""
    diff_hunk: str
    review_id: int | None


BAD = frozenset({"failure", "timed_out", "startup_failure"})
"""Conclusions of checks that work can mend; a cancelled one tells nothing."""


@dataclass(frozen=True)
class CheckRun:
    id: int
    name: str
    status: str
    """queued, in_progress, completed."""
    conclusion: str | None
    """Once it is completed: success, failure, neutral, cancelled, skipped, timed_out, …"""
    title: str
    summary: str
    details_url: str
