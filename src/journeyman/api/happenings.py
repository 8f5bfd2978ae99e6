"""The payloads of GitHub's and Gitea's webhooks, as what has happened.

Shapes: https://docs.github.com/webhooks/webhook-events-and-payloads and Gitea's
`modules/structs/hook.go`. What a payload lacks makes it none of ours, and no error.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from journeyman.domain.repositories import Account, AccountType
from journeyman.domain.triggers import Happening, Kind

LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
"""When an account was made is not told."""
BAD = frozenset({"failure", "timed_out", "startup_failure", "error"})


class User(msgspec.Struct):
    id: int
    login: str
    type: str = "User"

    @property
    def account(self) -> Account:
        return Account(self.id, self.login, AccountType.USER, False, LONG_AGO)

    @property
    def is_bot(self) -> bool:
        return self.type == "Bot" or self.login.endswith("[bot]")


class Repository(msgspec.Struct):
    id: int
    name: str
    owner: User


class Named(msgspec.Struct):
    name: str


class Issue(msgspec.Struct):
    """A pull request, too."""

    number: int
    updated_at: datetime
    created_at: datetime
    body: str | None = None
    labels: list[Named] | None = None
    assignees: list[User] | None = None


class Comment(msgspec.Struct):
    id: int
    user: User
    created_at: datetime
    body: str | None = None
    pull_request_review_id: int | None = None


class Review(msgspec.Struct):
    """GitHub's; Gitea's has `type` and `content` alone."""

    id: int | None = None
    user: User | None = None
    body: str | None = None
    state: str = ""
    submitted_at: datetime | None = None
    type: str = ""
    content: str | None = None

    @property
    def wants_changes(self) -> bool:
        return self.state.lower() == "changes_requested" or self.type.endswith("rejected")


class Suite(msgspec.Struct):
    head_sha: str
    head_branch: str | None = None
    conclusion: str | None = None
    check_suite: Suite | None = None
    """Of a single run."""


class Event(msgspec.Struct):
    """All payloads in one: each has some of it."""

    repository: Repository
    sender: User
    action: str = ""
    issue: Issue | None = None
    pull_request: Issue | None = None
    comment: Comment | None = None
    review: Review | None = None
    label: Named | None = None
    assignee: User | None = None
    check_run: Suite | None = None
    check_suite: Suite | None = None
    sha: str = ""
    state: str = ""
    branches: list[Named] | None = None
    ref: str = ""
    after: str = ""
    deleted: bool = False

    def happening(self, kind: Kind, at: datetime, by: User | None, **more: Any) -> Happening:
        repository = self.repository
        return Happening(
            kind=kind,
            repository_id=repository.id,
            owner=repository.owner.login,
            name=repository.name,
            at=at,
            by=None if by is None else by.account,
            by_bot=by is not None and by.is_bot,
            **more,
        )


def read(name: str, body: bytes, now: datetime) -> list[Happening]:
    """*name*: of the event, as its header says. ValidationError for what is no such payload."""
    reader = READERS.get(name)
    if reader is None:
        return []
    told = reader(msgspec.json.decode(body, type=Event), now)
    return [] if told is None else [told]


def _of_issue(event: Event, _now: datetime) -> Happening | None:
    issue = event.issue or event.pull_request
    if issue is None:
        return None
    number = issue.number
    if event.action == "opened":
        said = issue.body or ""
        return event.happening(Kind.ISSUE, issue.created_at, event.sender, number=number, body=said)
    if event.pull_request is not None:
        return None
    if event.action == "assigned":
        given = [event.assignee] if event.assignee else issue.assignees or []
        names = tuple(one.login for one in given)
        kind = Kind.ASSIGNED
    elif event.action in ("labeled", "label_updated"):
        labels = [event.label] if event.label else issue.labels or []
        names, kind = tuple(one.name for one in labels), Kind.LABELED
    else:
        return None
    return event.happening(kind, issue.updated_at, event.sender, number=number, names=names)


def _of_pull(event: Event, now: datetime) -> Happening | None:
    return _of_review(event, now) if event.action == "reviewed" else _of_issue(event, now)


def _of_comment(event: Event, _now: datetime) -> Happening | None:
    issue, comment = event.issue or event.pull_request, event.comment
    if issue is None or comment is None or event.action != "created":
        return None
    return event.happening(
        Kind.COMMENT,
        comment.created_at,
        comment.user,
        number=issue.number,
        id=comment.id,
        body=comment.body or "",
    )


def _of_review_comment(event: Event, _now: datetime) -> Happening | None:
    pull, comment = event.pull_request, event.comment
    if pull is None or comment is None or event.action != "created":
        return None
    return event.happening(
        Kind.REVIEW_COMMENT,
        comment.created_at,
        comment.user,
        number=pull.number,
        id=comment.id,
        review_id=comment.pull_request_review_id,
        body=comment.body or "",
    )


def _of_review(event: Event, _now: datetime) -> Happening | None:
    pull, review = event.pull_request, event.review
    if pull is None or review is None or event.action not in ("submitted", "reviewed"):
        return None
    return event.happening(
        Kind.REVIEW,
        review.submitted_at or pull.updated_at,
        review.user or event.sender,
        number=pull.number,
        review_id=review.id,
        body=review.body or review.content or "",
        wants_changes=review.wants_changes,
    )


def _of_check(event: Event, now: datetime) -> Happening | None:
    check = event.check_run or event.check_suite
    if check is None or event.action != "completed" or check.conclusion not in BAD:
        return None
    branch = check.head_branch or (check.check_suite and check.check_suite.head_branch)
    return _failed(event, branch or "", check.head_sha, now)


def _of_status(event: Event, now: datetime) -> Happening | None:
    if event.state not in BAD or not event.branches:
        return None
    return _failed(event, event.branches[0].name, event.sha, now)


def _failed(event: Event, branch: str, sha: str, now: datetime) -> Happening | None:
    if not branch:
        return None
    return event.happening(Kind.CHECKS, now, None, ref=branch, sha=sha)


def _of_push(event: Event, now: datetime) -> Happening | None:
    branch = event.ref.removeprefix("refs/heads/")
    if branch == event.ref or event.deleted or not event.after.strip("0"):
        return None
    return event.happening(Kind.CONFLICT, now, None, ref=branch, sha=event.after)


READERS: Mapping[str, Callable[[Event, datetime], Happening | None]] = {
    "issues": _of_issue,
    "issue_comment": _of_comment,
    "pull_request": _of_pull,
    "pull_request_review": _of_review,
    "pull_request_review_comment": _of_review_comment,
    "pull_request_approved": _of_review,
    "pull_request_rejected": _of_review,
    "pull_request_comment": _of_review,
    "check_run": _of_check,
    "check_suite": _of_check,
    "status": _of_status,
    "push": _of_push,
}
"""By the event's name; the last three of a review are Gitea's."""
