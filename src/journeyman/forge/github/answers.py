"""The parts of GitHub's answers that are read, and what they mean here.

Shapes: https://github.com/github/rest-api-description. All else in an answer is ignored.
"""

from __future__ import annotations

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
"""Where GitHub leaves out when an account was made."""
GHOST = 10137
"""GitHub's account that stands for those who are gone."""


class User(msgspec.Struct):
    id: int
    login: str
    type: str = "User"
    created_at: datetime | None = None

    def account(self) -> Account:
        kind = AccountType.ORGANIZATION if self.type == "Organization" else AccountType.USER
        # Who administers a GitHub Enterprise Server does not administer this server.
        return Account(self.id, self.login, kind, False, self.created_at or UNKNOWN_TIME)


class Permissions(msgspec.Struct):
    admin: bool = False
    maintain: bool = False
    push: bool = False
    triage: bool = False
    pull: bool = False

    def permission(self) -> Permission:
        if self.admin:
            return Permission.ADMIN
        if self.maintain or self.push:
            return Permission.WRITE
        return Permission.READ if self.triage or self.pull else Permission.NONE


class RepositoryAnswer(msgspec.Struct):
    id: int
    name: str
    owner: User
    private: bool
    default_branch: str = "main"
    archived: bool = False
    disabled: bool = False
    created_at: datetime | None = None
    updated_at: datetime | None = None
    permissions: Permissions | None = None

    def repository(self) -> Repository:
        created = self.created_at or UNKNOWN_TIME
        return Repository(
            id=self.id,
            owner=self.owner.account(),
            name=self.name,
            default_branch=self.default_branch,
            private=self.private,
            archived=self.archived or self.disabled,
            created_at=created,
            updated_at=self.updated_at or created,
        )

    def permission(self) -> Permission:
        """A public repository is read by everybody; GitHub may leave the rest out."""
        told = self.permissions.permission() if self.permissions else Permission.NONE
        return max(told, Permission.READ)


class Reference(msgspec.Struct):
    class Target(msgspec.Struct):
        sha: str
        type: str

    object: Target


class SideRepository(msgspec.Struct):
    id: int


class Side(msgspec.Struct):
    ref: str
    sha: str
    repo: SideRepository | None = None
    """None: the fork is gone."""


class PullAnswer(msgspec.Struct):
    id: int
    node_id: str
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
    closed_at: datetime | None = None
    merged_at: datetime | None = None
    merge_commit_sha: str | None = None
    mergeable: bool | None = None

    def pull_head(self) -> PullHead:
        own = self.head.repo and self.base.repo and self.head.repo.id == self.base.repo.id
        return PullHead(
            id=self.id,
            head_ref=self.head.ref,
            head_sha=self.head.sha,
            base_ref=self.base.ref,
            from_fork=not own,
            is_open=self.state == "open",
            is_mergeable=self.mergeable,
        )

    def pull(self, repository: Repository) -> Pull:
        return Pull(
            id=self.id,
            number=self.number,
            repository_id=repository.id,
            user_id=self.user.id if self.user else GHOST,
            title=self.title,
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
        if self.state == "open":
            return PullState.OPEN
        return PullState.MERGED if self.merged_at else PullState.CLOSED

    def _end(self) -> PullEnd | None:
        if self.state == "open":
            return None
        at = self.merged_at or self.closed_at or self.updated_at
        merge_sha = self.merge_commit_sha if self.merged_at else None
        return PullEnd(at, self.head.sha, self.base.sha, merge_sha=merge_sha)


class Label(msgspec.Struct):
    name: str | None = None


class IssueAnswer(msgspec.Struct):
    number: int
    title: str
    state: str
    body: str | None = None
    user: User | None = None
    author_association: str = ""
    labels: list[Label | str] = []
    assignees: list[User] | None = None
    pull_request: dict[str, Any] | None = None

    def issue(self) -> Issue:
        names = (one if isinstance(one, str) else one.name or "" for one in self.labels)
        return Issue(
            number=self.number,
            title=self.title,
            body=self.body or "",
            author=_author(self.user),
            association=self.author_association,
            is_open=self.state == "open",
            is_pull=self.pull_request is not None,
            labels=tuple(filter(None, names)),
            assignees=tuple(one.account() for one in self.assignees or ()),
        )


class CommentAnswer(msgspec.Struct):
    id: int
    created_at: datetime
    updated_at: datetime
    body: str | None = None
    user: User | None = None
    author_association: str = ""

    def comment(self) -> Comment:
        return Comment(
            id=self.id,
            author=_author(self.user),
            association=self.author_association,
            body=self.body or "",
            created_at=self.created_at,
            updated_at=self.updated_at,
        )


class ReviewCommentAnswer(CommentAnswer):
    path: str = ""
    line: int | None = None
    diff_hunk: str = ""
    pull_request_review_id: int | None = None

    def review_comment(self) -> ReviewComment:
        return ReviewComment(
            **vars(self.comment()),
            path=self.path,
            line=self.line,
            diff_hunk=self.diff_hunk,
            review_id=self.pull_request_review_id,
        )


class Output(msgspec.Struct):
    title: str | None = None
    summary: str | None = None


class CheckRunAnswer(msgspec.Struct):
    id: int
    name: str
    status: str
    conclusion: str | None = None
    details_url: str | None = None
    output: Output | None = None

    def check_run(self) -> CheckRun:
        told = self.output or Output()
        return CheckRun(
            id=self.id,
            name=self.name,
            status=self.status,
            conclusion=self.conclusion,
            title=told.title or "",
            summary=told.summary or "",
            details_url=self.details_url or "",
        )


class CheckRuns(msgspec.Struct):
    check_runs: list[CheckRunAnswer]


def _author(user: User | None) -> Account:
    return (user or User(GHOST, "ghost")).account()
