"""What has happened lately in a repository on GitHub, found by asking.

Each list is asked for from where it was left. While nothing is new the question stays the same, and
GitHub answers 304, which counts against no limit.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

import msgspec

from journeyman.domain.principals import Actor
from journeyman.domain.repositories import Repository
from journeyman.domain.triggers import Happening, Kind
from journeyman.forge.github.answers import CommentAnswer, IssueAnswer, ReviewCommentAnswer, User
from journeyman.forge.rest import MOST_PAGES, PAGE, UNCHANGED, Api, path_of, secret_of
from journeyman.forge.rest_discussion import or_not_found
from journeyman.forge.rest_news import beginning, happening, written


class Place(msgspec.Struct):
    """Where one list was left."""

    since: datetime
    etag: str = ""
    unread_since: datetime | None = None
    """Older than `since` while not all of it is read: lists go by the last change, and what was
    made then may come late."""

    @property
    def made_since(self) -> datetime:
        """What was made before is no news."""
        return self.unread_since or self.since


class Cursor(msgspec.Struct):
    issues: Place
    comments: Place
    review_comments: Place
    events_etag: str = ""
    last_event: int = 0


class ListedIssue(IssueAnswer, kw_only=True):
    created_at: datetime
    updated_at: datetime


class ListedComment(CommentAnswer, kw_only=True):
    issue_url: str = ""


class ListedReviewComment(ReviewCommentAnswer, kw_only=True):
    pull_request_url: str = ""


T = TypeVar("T", ListedIssue, ListedComment, ListedReviewComment)


class Review(msgspec.Struct):
    id: int
    state: str
    submitted_at: datetime | None = None
    user: User | None = None
    body: str | None = None


class EventLabel(msgspec.Struct):
    name: str


class EventIssue(msgspec.Struct):
    number: int
    updated_at: datetime
    pull_request: dict[str, Any] | None = None


class IssueEvent(msgspec.Struct):
    id: int
    event: str
    created_at: datetime
    actor: User | None = None
    assigner: User | None = None
    assignee: User | None = None
    label: EventLabel | None = None
    issue: EventIssue | None = None


class GitHubNews:
    """Reads a hundred entries of each list at a time; the rest comes with the next question."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def news(
        self, actor: Actor, repository: Repository, cursor: str | None
    ) -> tuple[Sequence[Happening], str]:
        known = _begin() if cursor is None else msgspec.json.decode(cursor, type=Cursor)
        asking = _Asking(self._api, secret_of(actor), repository)
        with or_not_found(f"{repository.full_name} has no issues to ask about."):
            found = [
                *await asking.issues(known),
                *await asking.comments(known),
                *await asking.review_comments(known),
                *await asking.events(known, first=cursor is None),
            ]
        told = sorted(found, key=lambda one: one.at)
        return [] if cursor is None else told, msgspec.json.encode(known).decode()


class _Asking:
    def __init__(self, api: Api, secret: str, repository: Repository) -> None:
        self._api = api
        self._secret = secret
        self._repository = repository
        self._path = path_of(repository)

    async def issues(self, known: Cursor) -> list[Happening]:
        """New issues and pull requests, and the reviews of those that have changed."""
        since = known.issues.made_since
        query = {"state": "all", "sort": "updated", "direction": "asc"}
        found, known.issues = await self._list("/issues", known.issues, ListedIssue, query)
        told = list[Happening]()
        for one in found:
            if one.created_at >= since:
                said = one.body or ""
                told.append(
                    self._told(Kind.ISSUE, one.created_at, one.user, number=one.number, body=said)
                )
            if one.pull_request is not None and one.state == "open":
                told += await self._reviews(one.number, since)
        return told

    async def _reviews(self, number: int, since: datetime) -> list[Happening]:
        path = f"{self._path}/pulls/{number}/reviews"
        found = await self._api.pages(self._secret, path, Review)
        return [
            self._told(
                Kind.REVIEW,
                one.submitted_at,
                one.user,
                number=number,
                review_id=one.id,
                body=one.body or "",
                wants_changes=one.state.upper() == "CHANGES_REQUESTED",
            )
            for one in found
            if one.submitted_at is not None and one.submitted_at >= since
        ]

    async def comments(self, known: Cursor) -> list[Happening]:
        since, query = known.comments.made_since, {"sort": "updated", "direction": "asc"}
        found, known.comments = await self._list(
            "/issues/comments", known.comments, ListedComment, query
        )
        return [
            self._told(
                Kind.COMMENT,
                one.created_at,
                one.user,
                number=_number(one.issue_url),
                id=one.id,
                body=one.body or "",
            )
            for one in found
            if one.created_at >= since
        ]

    async def review_comments(self, known: Cursor) -> list[Happening]:
        since, query = known.review_comments.made_since, {"sort": "updated", "direction": "asc"}
        found, known.review_comments = await self._list(
            "/pulls/comments", known.review_comments, ListedReviewComment, query
        )
        return [
            self._told(
                Kind.REVIEW_COMMENT,
                one.created_at,
                one.user,
                number=_number(one.pull_request_url),
                id=one.id,
                review_id=one.pull_request_review_id,
                body=one.body or "",
            )
            for one in found
            if one.created_at >= since
        ]

    async def events(self, known: Cursor, *, first: bool) -> list[Happening]:
        """Assignments and labels: listed newest first, as far back as they are known, and by who
        did it."""
        path, query = f"{self._path}/issues/events", {"per_page": PAGE}
        answer = await self._api.read(self._secret, path, query, etag=known.events_etag)
        if answer.status == UNCHANGED:
            return []
        found = some = self._api.decoded(answer.body, list[IssueEvent])
        for page in range(2, MOST_PAGES + 1):
            if first or len(some) < PAGE or some[-1].id <= known.last_event:
                break
            some = await self._api.get(self._secret, path, list[IssueEvent], **query, page=page)
            found = [*found, *some]
        new = [one for one in found if one.id > known.last_event and not first]
        known.events_etag = answer.headers.get("etag", "")
        known.last_event = max([known.last_event, *(one.id for one in found)])
        return [told for one in reversed(new) if (told := self._event(one)) is not None]

    def _event(self, one: IssueEvent) -> Happening | None:
        if one.issue is None or one.issue.pull_request is not None:
            return None
        number, by = one.issue.number, one.assigner or one.actor
        if one.event == "assigned" and one.assignee is not None:
            names, kind = (one.assignee.login,), Kind.ASSIGNED
        elif one.event == "labeled" and one.label is not None:
            names, kind = (one.label.name,), Kind.LABELED
        else:
            return None
        return self._told(kind, one.created_at, by, number=number, names=names)

    async def _list(
        self, path: str, place: Place, kind: type[T], query: dict[str, str]
    ) -> tuple[list[T], Place]:
        """What was updated since, and from where to go on."""
        asked = {**query, "since": written(place.since), "per_page": PAGE}
        answer = await self._api.read(self._secret, f"{self._path}{path}", asked, etag=place.etag)
        if answer.status == UNCHANGED:
            return [], place
        found: list[T] = self._api.decoded(answer.body, list[kind])  # type: ignore[valid-type]
        newest = max((one.updated_at for one in found), default=place.since)
        is_full = len(found) == PAGE
        unread = place.made_since if is_full else None
        if newest > place.since:
            return found, Place(newest, unread_since=unread)
        # More than a page of one second would come again for ever.
        later = place.since + timedelta(seconds=1) if is_full else place.since
        etag = "" if is_full else answer.headers.get("etag", "")
        return found, Place(later, etag, unread)

    def _told(self, kind: Kind, at: datetime, by: User | None, **more: Any) -> Happening:
        is_bot = by is not None and (by.type == "Bot" or by.login.endswith("[bot]"))
        account = None if by is None else by.account()
        return happening(kind, self._repository, at, account, by_bot=is_bot, **more)


def _begin() -> Cursor:
    now = beginning()
    return Cursor(Place(now), Place(now), Place(now))


def _number(url: str) -> int | None:
    """The last part of an issue's address."""
    last = url.rpartition("/")[2]
    return int(last) if last.isdigit() else None
