"""The parts of Gitea's answers that are read, and what they mean here.

Shapes: `/swagger.v1.json` of any Gitea or Forgejo. All else in an answer is ignored.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import msgspec

from journeyman.domain.discussions import CheckRun, Comment, Issue, PullHead, ReviewComment
from journeyman.domain.repositories import (
    Account,
    AccountType,
    Permission,
    Pull,
    PullEnd,
    PullState,
    Repository,
)

UNKNOWN_TIME = datetime(1970, 1, 1, tzinfo=UTC)
"""Where Gitea tells the year 1, for example when an account was made that is not one's own."""
_DRAFT = re.compile(r"(\s*(wip:|\[wip\]|draft:|\[draft\]))+\s*", re.IGNORECASE)
"""Before the title of a pull request that is not ready; which of them a server takes for one is its
own setting, and it always says what it took."""


def without_draft(title: str) -> str:
    begins = _DRAFT.match(title)
    return title[begins.end() :] if begins else title


class User(msgspec.Struct):
    id: int
    login: str
    created: datetime = UNKNOWN_TIME

    def account(self) -> Account:
        """Gitea does not tell organizations apart here. Who administers it does not administer
        this server."""
        return Account(self.id, self.login, AccountType.USER, False, _since(self.created))


GHOST = User(-1, "Ghost")
"""Gitea's account that stands for those who are gone."""


class Permissions(msgspec.Struct):
    admin: bool = False
    push: bool = False
    pull: bool = False


class RepositoryAnswer(msgspec.Struct):
    id: int
    name: str
    owner: User
    private: bool
    internal: bool = False
    """Seen by everybody who is logged in."""
    default_branch: str = "main"
    archived: bool = False
    created_at: datetime = UNKNOWN_TIME
    updated_at: datetime = UNKNOWN_TIME
    permissions: Permissions | None = None

    def repository(self) -> Repository:
        return Repository(
            id=self.id,
            owner=self.owner.account(),
            name=self.name,
            default_branch=self.default_branch or "main",
            private=self.private or self.internal,
            archived=self.archived,
            created_at=_since(self.created_at),
            updated_at=_since(self.updated_at),
        )

    def permission(self) -> Permission:
        """Gitea shows no repository that may not be read."""
        told = self.permissions or Permissions()
        if told.admin:
            return Permission.ADMIN
        return Permission.WRITE if told.push else Permission.READ


class Commit(msgspec.Struct):
    id: str


class BranchAnswer(msgspec.Struct):
    commit: Commit


class Side(msgspec.Struct):
    ref: str
    sha: str
    repo_id: int


class PullAnswer(msgspec.Struct):
    id: int
    number: int
    state: str
    title: str
    head: Side
    base: Side
    created_at: datetime
    updated_at: datetime
    body: str | None = None
    user: User | None = None
    draft: bool = False
    merged: bool = False
    closed_at: datetime | None = None
    merged_at: datetime | None = None
    merged_by: User | None = None
    merge_commit_sha: str | None = None
    mergeable: bool | None = None

    def pull_head(self) -> PullHead:
        return PullHead(
            id=self.id,
            head_ref=self.head.ref,
            head_sha=self.head.sha,
            base_ref=self.base.ref,
            from_fork=self.head.repo_id != self.base.repo_id,
            is_open=self.state == "open",
            # What is not ready is never mergeable to Gitea, whether it has conflicts or not.
            is_mergeable=None if self.draft else self.mergeable,
        )

    def pull(self, repository: Repository) -> Pull:
        return Pull(
            id=self.id,
            number=self.number,
            repository_id=repository.id,
            user_id=(self.user or GHOST).id,
            title=without_draft(self.title),
            body=self.body or "",
            head_ref=self.head.ref,
            base_ref=self.base.ref,
            draft=self.draft,
            state=self._state(),
            created_at=self.created_at,
            updated_at=self.updated_at,
            end=self._end(),
        )

    def _state(self) -> PullState:
        if self.merged:
            return PullState.MERGED
        return PullState.OPEN if self.state == "open" else PullState.CLOSED

    def _end(self) -> PullEnd | None:
        if self.state == "open":
            return None
        return PullEnd(
            at=self.merged_at or self.closed_at or self.updated_at,
            head_sha=self.head.sha,
            base_sha=self.base.sha,
            merged_by_id=self.merged_by.id if self.merged_by else None,
            merge_sha=self.merge_commit_sha if self.merged else None,
        )


class Label(msgspec.Struct):
    name: str


class IssueAnswer(msgspec.Struct):
    number: int
    title: str
    state: str
    body: str | None = None
    user: User | None = None
    labels: list[Label] | None = None
    assignees: list[User] | None = None
    pull_request: dict[str, Any] | None = None

    def issue(self) -> Issue:
        return Issue(
            number=self.number,
            title=self.title,
            body=self.body or "",
            author=(self.user or GHOST).account(),
            association="",
            is_open=self.state == "open",
            is_pull=self.pull_request is not None,
            labels=tuple(one.name for one in self.labels or ()),
            assignees=tuple(one.account() for one in self.assignees or ()),
        )


class CommentAnswer(msgspec.Struct):
    id: int
    created_at: datetime
    updated_at: datetime
    body: str | None = None
    user: User | None = None

    def comment(self) -> Comment:
        return Comment(
            id=self.id,
            author=(self.user or GHOST).account(),
            association="",
            body=self.body or "",
            created_at=self.created_at,
            updated_at=self.updated_at,
        )


class ReviewAnswer(msgspec.Struct):
    id: int
    comments_count: int = 0


class ReviewCommentAnswer(CommentAnswer):
    path: str = ""
    position: int = 0
    """The line in the new file; 0: it is on a line that is gone, or not there any more."""
    diff_hunk: str = ""
    pull_request_review_id: int | None = None

    def review_comment(self) -> ReviewComment:
        return ReviewComment(
            **vars(self.comment()),
            path=self.path,
            line=self.position or None,
            diff_hunk=self.diff_hunk,
            review_id=self.pull_request_review_id,
        )


CONCLUSIONS = {
    "success": "success",
    "failure": "failure",
    "error": "failure",
    "warning": "neutral",
    "skipped": "skipped",
}


class StatusAnswer(msgspec.Struct):
    """A commit status; Gitea's and Forgejo's own workflows write these too."""

    id: int
    status: str
    context: str = ""
    description: str = ""
    target_url: str = ""

    def check_run(self) -> CheckRun:
        """What is neither over nor known is in progress."""
        conclusion = CONCLUSIONS.get(self.status)
        return CheckRun(
            id=self.id,
            name=self.context,
            status="completed" if conclusion else "in_progress",
            conclusion=conclusion,
            title=self.description,
            summary="",
            details_url=self.target_url,
        )


class CombinedStatus(msgspec.Struct):
    statuses: list[StatusAnswer] | None = None
    total_count: int = 0


def _since(told: datetime) -> datetime:
    return max(told, UNKNOWN_TIME)
