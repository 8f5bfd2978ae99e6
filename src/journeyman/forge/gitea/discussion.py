"""Issues, comments, reactions and commit statuses on Gitea and Forgejo."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

from journeyman.domain.discussions import (
    CheckRun,
    Comment,
    Issue,
    Place,
    PullHead,
    Reaction,
    ReviewComment,
)
from journeyman.domain.errors import not_found
from journeyman.domain.principals import Actor
from journeyman.domain.repositories import Permission, Repository
from journeyman.forge.gitea.answers import (
    CollaboratorPermission,
    CombinedStatus,
    CommentAnswer,
    IssueAnswer,
    PullAnswer,
    ReviewAnswer,
    ReviewCommentAnswer,
)
from journeyman.forge.rest import PAGE, Api, Missing, path_of, secret_of

GRANTED = {
    "owner": Permission.ADMIN,
    "admin": Permission.ADMIN,
    "write": Permission.WRITE,
    "read": Permission.READ,
}
PLACES = {
    Place.ISSUE: "issues/{}",
    Place.COMMENT: "issues/comments/{}",
    Place.REVIEW_COMMENT: "issues/comments/{}",
}
"""A comment on a line is one of the pull request's too."""


class GiteaDiscussion:
    """Reviews are read up to 1000; an issue's comments come all at once."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def issue(self, actor: Actor, repository: Repository, number: int) -> Issue:
        with _found(f"There is no issue #{number}."):
            path = f"{path_of(repository)}/issues/{number}"
            return (await self._api.get(secret_of(actor), path, IssueAnswer)).issue()

    async def pull_head(self, actor: Actor, repository: Repository, number: int) -> PullHead:
        with _found(f"There is no pull request #{number}."):
            path = f"{path_of(repository)}/pulls/{number}"
            return (await self._api.get(secret_of(actor), path, PullAnswer)).pull_head()

    async def comments(
        self, actor: Actor, repository: Repository, number: int
    ) -> Sequence[Comment]:
        with _found(f"There is no issue #{number}."):
            path = f"{path_of(repository)}/issues/{number}/comments"
            found = await self._api.get(secret_of(actor), path, list[CommentAnswer])
            return [one.comment() for one in found]

    async def review_comments(
        self, actor: Actor, repository: Repository, number: int
    ) -> Sequence[ReviewComment]:
        """By way of the reviews: Gitea lists them in no other."""
        with _found(f"There is no pull request #{number}."):
            path = f"{path_of(repository)}/pulls/{number}/reviews"
            reviews = await self._api.pages(secret_of(actor), path, ReviewAnswer)
            found: list[ReviewComment] = []
            for review in reviews:
                if review.comments_count:
                    below = f"{path}/{review.id}/comments"
                    some = await self._api.get(secret_of(actor), below, list[ReviewCommentAnswer])
                    found += [one.review_comment() for one in some]
            return sorted(found, key=lambda one: (one.created_at, one.id))

    async def comment(
        self, actor: Actor, repository: Repository, number: int, body: str
    ) -> Comment:
        with _found(f"There is no issue #{number}."):
            path = f"{path_of(repository)}/issues/{number}/comments"
            said = {"body": body}
            made = await self._api.write("POST", secret_of(actor), path, said, CommentAnswer)
            return made.comment()

    async def react(
        self, actor: Actor, repository: Repository, place: Place, id: int, reaction: Reaction
    ) -> None:
        with _found(f"There is no {place} {id}."):
            path = f"{path_of(repository)}/{PLACES[place].format(id)}/reactions"
            said = {"content": reaction.value}
            await self._api.write("POST", secret_of(actor), path, said, dict[str, Any])

    async def permission_of(self, actor: Actor, repository: Repository, login: str) -> Permission:
        """Gitea tells it to those who administer the repository, and of oneself."""
        path = f"{path_of(repository)}/collaborators/{quote(login, safe='')}/permission"
        try:
            found = await self._api.get(secret_of(actor), path, CollaboratorPermission)
        except Missing:
            return Permission.NONE
        return GRANTED.get(found.permission, Permission.NONE)


class GiteaChecks:
    def __init__(self, api: Api) -> None:
        self._api = api

    async def check_runs(
        self, actor: Actor, repository: Repository, sha: str
    ) -> Sequence[CheckRun]:
        """The newest of each context, up to a page of them."""
        with _found(f"There is no commit {sha[:40]}."):
            path = f"{path_of(repository)}/commits/{quote(sha, safe='')}/status"
            found = await self._api.get(secret_of(actor), path, CombinedStatus, limit=PAGE)
            return [one.check_run() for one in found.statuses or ()]


@contextmanager
def _found(otherwise: str) -> Iterator[None]:
    try:
        yield
    except Missing:
        raise not_found(otherwise) from None
