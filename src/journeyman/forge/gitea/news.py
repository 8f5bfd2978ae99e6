"""What has happened lately in a repository on Gitea or Forgejo, found by asking.

Issues and pull requests that have changed are listed; what changed is in an issue's timeline, and
in the comments and reviews of a pull request.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from journeyman.domain.principals import Actor
from journeyman.domain.repositories import Repository
from journeyman.domain.triggers import Happening, Kind
from journeyman.forge.gitea.answers import (
    UNKNOWN_TIME,
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
SUBMITTED = ("APPROVED", "COMMENT", WANTS_CHANGES)
LATELY = timedelta(days=1)
"""A review may be told again for so long, which is known then: when it was submitted shows only in
when it was changed, and an answer on one of its lines changes neither."""
ADDED = "1"
"""What a label's entry says; that of one that was taken away says nothing."""


class Cursor(msgspec.Struct):
    since: datetime
    began: datetime | None = None
    """When it was first asked; a review from before that is none of the news."""
    page: int = 1
    """Of the issues that have changed since: where to go on."""
    newest: datetime | None = None
    """Of those that were read so far; what changes while the others are read comes again."""


class ListedIssue(IssueAnswer, kw_only=True):
    created_at: datetime
    updated_at: datetime


class Entry(CommentAnswer, kw_only=True):
    """Of a timeline."""

    type: str
    label: Label | None = None
    assignee: User | None = None
    removed_assignee: bool = False


class Review(ReviewAnswer, kw_only=True):
    state: str = ""
    body: str | None = None
    user: User | None = None
    dismissed: bool = False
    submitted_at: datetime | None = None
    """When it was begun, in fact."""
    updated_at: datetime | None = None
    """When it was submitted, unless it was dismissed since."""

    @property
    def at(self) -> datetime:
        return max(self.submitted_at or UNKNOWN_TIME, self.updated_at or UNKNOWN_TIME)


class GiteaNews:
    """Reads some pages of the issues that have changed; the rest comes with the next question."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def news(
        self, actor: Actor, repository: Repository, cursor: str | None
    ) -> tuple[Sequence[Happening], str]:
        if cursor is None:
            return [], msgspec.json.encode(Cursor(begun := beginning(), begun)).decode()
        known = msgspec.json.decode(cursor, type=Cursor)
        asking = _Asking(self._api, secret_of(actor), repository, known)
        with or_not_found(f"{repository.full_name} has no issues to ask about."):
            found, following = await asking.changed()
            told = [one for issue in found async for one in asking.of_issue(issue)]
        newest = known.newest or max([known.since, *(one.updated_at for one in found)])
        if following is None:
            left = Cursor(newest, known.began)
        else:
            # The last page once more: an issue that is deleted moves those behind it.
            left = Cursor(known.since, known.began, following - 1, newest)
        return sorted(told, key=lambda one: one.at), msgspec.json.encode(left).decode()


class _Asking:
    def __init__(self, api: Api, secret: str, repository: Repository, known: Cursor) -> None:
        self._api = api
        self._secret = secret
        self._repository = repository
        self._path = path_of(repository)
        self._since = known.since
        self._page = known.page
        self._reviewed_since = max(known.began or known.since, known.since - LATELY)

    async def changed(self) -> tuple[Sequence[ListedIssue], int | None]:
        """Pull requests, too; and the page to go on with."""
        path, query = f"{self._path}/issues", {"state": "all", "since": written(self._since)}
        return await self._api.part(self._secret, path, ListedIssue, query, first=self._page)

    async def of_issue(self, issue: ListedIssue) -> AsyncIterator[Happening]:
        number, since = issue.number, written(self._since)
        if issue.created_at >= self._since:
            body = issue.body or ""
            yield self._told(Kind.ISSUE, issue.created_at, issue.user, number=number, body=body)
        if issue.pull_request is not None:
            async for told in self._of_pull(number, since):
                yield told
            return
        path = f"{self._path}/issues/{number}/timeline"
        # Its total is that of the page.
        entries = await self._api.pages(self._secret, path, Entry, counted=False, since=since)
        for one in entries:
            if (said := self._of_entry(number, one)) is not None:
                yield said

    async def _of_pull(self, number: int, since: str) -> AsyncIterator[Happening]:
        """Not by its timeline, whose pages are empty where comments on lines were."""
        path = f"{self._path}/issues/{number}/comments"
        for one in await self._api.get(self._secret, path, list[CommentAnswer], since=since):
            if one.created_at >= self._since:
                yield self._of_comment(number, one)
        path = f"{self._path}/pulls/{number}/reviews"
        for review in await self._api.pages(self._secret, path, Review):
            if review.state in SUBMITTED and not review.dismissed:
                async for said in self._of_review(number, review):
                    yield said

    def _of_comment(self, number: int, one: CommentAnswer) -> Happening:
        said = {"number": number, "id": one.id, "body": one.body or ""}
        return self._told(Kind.COMMENT, one.created_at, one.user, **said)

    def _of_entry(self, number: int, one: Entry) -> Happening | None:
        if one.created_at < self._since:
            return None
        if one.type == "comment":
            return self._of_comment(number, one)
        if one.type == "assignees" and one.assignee is not None and not one.removed_assignee:
            kind, name = Kind.ASSIGNED, one.assignee.login
        elif one.type == "label" and one.label is not None and one.body == ADDED:
            kind, name = Kind.LABELED, one.label.name
        else:
            return None
        return self._told(kind, one.created_at, one.user, number=number, names=(name,))

    async def _of_review(self, number: int, review: Review) -> AsyncIterator[Happening]:
        """The review, and what it says on lines; nothing of one that was deleted since."""
        if review.at < self._reviewed_since:
            return
        try:
            lines = await self._lines(number, review.id) if review.comments_count else []
        except Missing:
            return
        yield self._told(
            Kind.REVIEW,
            review.at,
            review.user,
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

    async def _lines(self, number: int, id: int) -> Sequence[ReviewCommentAnswer]:
        path = f"{self._path}/pulls/{number}/reviews/{id}/comments"
        return await self._api.get(self._secret, path, list[ReviewCommentAnswer])

    def _told(self, kind: Kind, at: datetime, by: User | None, **more: Any) -> Happening:
        is_bot = by is not None and (by.id <= 0 or by.login.endswith("[bot]"))
        account = None if by is None else by.account()
        return happening(kind, self._repository, at, account, by_bot=is_bot, **more)
