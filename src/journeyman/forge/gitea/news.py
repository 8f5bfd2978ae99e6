"""What has happened lately in a repository on Gitea or Forgejo, found by asking.

Issues and pull requests that have changed are listed; what changed is in the timeline of each.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any

import msgspec

from journeyman.domain.principals import Actor
from journeyman.domain.repositories import Repository
from journeyman.domain.triggers import Happening, Kind
from journeyman.forge.gitea.answers import (
    CommentAnswer,
    IssueAnswer,
    Label,
    ReviewAnswer,
    ReviewCommentAnswer,
    User,
)
from journeyman.forge.rest import Api, Missing, path_of, secret_of
from journeyman.forge.rest_discussion import or_not_found
from journeyman.forge.rest_news import beginning, happening, written

WANTS_CHANGES = "REQUEST_CHANGES"
ADDED = "1"
"""What a label's entry says; that of one that was taken away says nothing."""


class Cursor(msgspec.Struct):
    since: datetime


class ListedIssue(IssueAnswer, kw_only=True):
    created_at: datetime
    updated_at: datetime


class Entry(CommentAnswer, kw_only=True):
    """Of a timeline."""

    type: str
    label: Label | None = None
    assignee: User | None = None
    removed_assignee: bool = False
    review_id: int = 0


class Review(ReviewAnswer, kw_only=True):
    state: str = ""
    body: str | None = None


class GiteaNews:
    """Reads up to 1000 issues that have changed, and as many entries of each."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def news(
        self, actor: Actor, repository: Repository, cursor: str | None
    ) -> tuple[Sequence[Happening], str]:
        if cursor is None:
            return [], msgspec.json.encode(Cursor(beginning())).decode()
        since = msgspec.json.decode(cursor, type=Cursor).since
        asking = _Asking(self._api, secret_of(actor), repository, since)
        with or_not_found(f"{repository.full_name} has no issues to ask about."):
            found = await asking.changed()
            told = [one for issue in found async for one in asking.of_issue(issue)]
        newest = max([since, *(one.updated_at for one in found)])
        return sorted(told, key=lambda one: one.at), msgspec.json.encode(Cursor(newest)).decode()


class _Asking:
    def __init__(self, api: Api, secret: str, repository: Repository, since: datetime) -> None:
        self._api = api
        self._secret = secret
        self._repository = repository
        self._path = path_of(repository)
        self._since = since

    async def changed(self) -> Sequence[ListedIssue]:
        """Pull requests, too."""
        path, since = f"{self._path}/issues", written(self._since)
        return await self._api.pages(self._secret, path, ListedIssue, state="all", since=since)

    async def of_issue(self, issue: ListedIssue) -> AsyncIterator[Happening]:
        number = issue.number
        if issue.created_at >= self._since:
            body = issue.body or ""
            yield self._told(Kind.ISSUE, issue.created_at, issue.user, number=number, body=body)
        path, since = f"{self._path}/issues/{number}/timeline", written(self._since)
        # Its total is that of the page.
        entries = await self._api.pages(self._secret, path, Entry, counted=False, since=since)
        for one in entries:
            if one.created_at < self._since:
                continue
            if one.type == "review":
                async for said in self._of_review(number, one):
                    yield said
            elif (told := self._of_entry(issue, one)) is not None:
                yield told

    def _of_entry(self, issue: ListedIssue, one: Entry) -> Happening | None:
        number, body = issue.number, one.body or ""
        if one.type == "comment":
            at, id = one.created_at, one.id
            return self._told(Kind.COMMENT, at, one.user, number=number, id=id, body=body)
        if issue.pull_request is not None:
            return None
        if one.type == "assignees" and one.assignee is not None and not one.removed_assignee:
            kind, name = Kind.ASSIGNED, one.assignee.login
        elif one.type == "label" and one.label is not None and body == ADDED:
            kind, name = Kind.LABELED, one.label.name
        else:
            return None
        return self._told(kind, one.created_at, one.user, number=number, names=(name,))

    async def _of_review(self, number: int, one: Entry) -> AsyncIterator[Happening]:
        """The review, and what it says on lines; nothing of one that was deleted since."""
        path = f"{self._path}/pulls/{number}/reviews/{one.review_id}"
        try:
            review = await self._api.get(self._secret, path, Review)
            lines = await self._lines(path) if review.comments_count else []
        except Missing:
            return
        yield self._told(
            Kind.REVIEW,
            one.created_at,
            one.user,
            number=number,
            review_id=review.id,
            body=review.body or "",
            wants_changes=review.state == WANTS_CHANGES,
        )
        for line in lines:
            yield self._told(
                Kind.REVIEW_COMMENT,
                line.created_at,
                line.user,
                number=number,
                id=line.id,
                review_id=review.id,
                body=line.body or "",
            )

    async def _lines(self, review: str) -> Sequence[ReviewCommentAnswer]:
        return await self._api.get(self._secret, f"{review}/comments", list[ReviewCommentAnswer])

    def _told(self, kind: Kind, at: datetime, by: User | None, **more: Any) -> Happening:
        is_bot = by is not None and (by.id <= 0 or by.login.endswith("[bot]"))
        account = None if by is None else by.account()
        return happening(kind, self._repository, at, account, by_bot=is_bot, **more)
