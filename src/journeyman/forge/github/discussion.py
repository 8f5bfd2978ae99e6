"""Issues, comments, reactions and check runs on GitHub."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
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
from journeyman.forge.github.answers import (
    CheckRuns,
    CollaboratorPermission,
    CommentAnswer,
    IssueAnswer,
    PullAnswer,
    ReviewCommentAnswer,
)
from journeyman.forge.rest import PAGE, Api, Missing, path_of, secret_of

GRANTED = {
    "admin": Permission.ADMIN,
    "write": Permission.WRITE,
    "read": Permission.READ,
    "none": Permission.NONE,
}
PLACES = {
    Place.ISSUE: "issues/{}",
    Place.COMMENT: "issues/comments/{}",
    Place.REVIEW_COMMENT: "pulls/comments/{}",
}


class GitHubDiscussion:
    """Lists are read up to 1000 entries."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def issue(self, actor: Actor, repository: Repository, number: int) -> Issue:
        with _found(f"There is no issue #{number}."):
            path = f"{path_of(repository)}/issues/{number}"
            return (await self._api.get(secret_of(actor), path, IssueAnswer)).issue()

    async def pull_head(self, actor: Actor, repository: Repository, number: int) -> PullHead:
        with _found(f"There is no pull request #{number}."):
            path = f"{path_of(repository)}/pulls/{number}"
            return (await self._api.again(secret_of(actor), path, PullAnswer)).pull_head()

    async def comments(
        self, actor: Actor, repository: Repository, number: int
    ) -> Sequence[Comment]:
        with _found(f"There is no issue #{number}."):
            path = f"{path_of(repository)}/issues/{number}/comments"
            found = await self._api.pages(secret_of(actor), path, CommentAnswer)
            return [one.comment() for one in found]

    async def review_comments(
        self, actor: Actor, repository: Repository, number: int
    ) -> Sequence[ReviewComment]:
        with _found(f"There is no pull request #{number}."):
            path = f"{path_of(repository)}/pulls/{number}/comments"
            found = await self._api.pages(secret_of(actor), path, ReviewCommentAnswer)
            return [one.review_comment() for one in found]

    async def comment(
        self, actor: Actor, repository: Repository, number: int, body: str
    ) -> Comment:
        with _found(f"There is no issue #{number}."):
            path = f"{path_of(repository)}/issues/{number}/comments"
            said = {"body": body}
            return (
                await self._api.write("POST", secret_of(actor), path, said, CommentAnswer)
            ).comment()

    async def react(
        self, actor: Actor, repository: Repository, place: Place, id: int, reaction: Reaction
    ) -> None:
        with _found(f"There is no {place} {id}."):
            path = f"{path_of(repository)}/{PLACES[place].format(id)}/reactions"
            await self._api.write("POST", secret_of(actor), path, {"content": reaction}, dict)

    async def permission_of(self, actor: Actor, repository: Repository, login: str) -> Permission:
        path = f"{path_of(repository)}/collaborators/{quote(login, safe='')}/permission"
        try:
            found = await self._api.get(secret_of(actor), path, CollaboratorPermission)
        except Missing:
            return Permission.NONE
        return GRANTED.get(found.permission, Permission.NONE)


class GitHubChecks:
    def __init__(self, api: Api) -> None:
        self._api = api

    async def check_runs(
        self, actor: Actor, repository: Repository, sha: str
    ) -> Sequence[CheckRun]:
        """The newest of each name, up to a hundred."""
        with _found(f"There is no commit {sha[:40]}."):
            path = f"{path_of(repository)}/commits/{quote(sha, safe='')}/check-runs"
            found = await self._api.again(secret_of(actor), path, CheckRuns, per_page=PAGE)
            return [one.check_run() for one in found.check_runs]


@contextmanager
def _found(otherwise: str) -> Iterator[None]:
    try:
        yield
    except Missing:
        raise not_found(otherwise) from None
