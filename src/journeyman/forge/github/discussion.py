"""Issues, comments, reactions and check runs on GitHub."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from journeyman.domain.discussions import (
    CheckRun,
    Comment,
    Place,
    ReviewComment,
)
from journeyman.domain.principals import Actor
from journeyman.domain.repositories import Repository
from journeyman.forge.github.answers import (
    CheckRuns,
    CommentAnswer,
    IssueAnswer,
    PullAnswer,
    ReviewCommentAnswer,
)
from journeyman.forge.rest import PAGE, Api, path_of, secret_of
from journeyman.forge.rest_discussion import RestDiscussion, Shapes, or_not_found

PLACES = {
    Place.ISSUE: "issues/{}",
    Place.COMMENT: "issues/comments/{}",
    Place.REVIEW_COMMENT: "pulls/comments/{}",
}
SHAPES = Shapes(IssueAnswer, PullAnswer, CommentAnswer, PLACES)


class GitHubDiscussion(RestDiscussion):
    """Lists are read up to 1000 entries."""

    def __init__(self, api: Api) -> None:
        super().__init__(api, SHAPES)

    async def comments(
        self, actor: Actor, repository: Repository, number: int
    ) -> Sequence[Comment]:
        with or_not_found(f"There is no issue #{number}."):
            path = f"{path_of(repository)}/issues/{number}/comments"
            found = await self._api.pages(secret_of(actor), path, CommentAnswer)
            return [one.comment() for one in found]

    async def review_comments(
        self, actor: Actor, repository: Repository, number: int
    ) -> Sequence[ReviewComment]:
        with or_not_found(f"There is no pull request #{number}."):
            path = f"{path_of(repository)}/pulls/{number}/comments"
            found = await self._api.pages(secret_of(actor), path, ReviewCommentAnswer)
            return [one.review_comment() for one in found]


class GitHubChecks:
    def __init__(self, api: Api) -> None:
        self._api = api

    async def check_runs(
        self, actor: Actor, repository: Repository, sha: str
    ) -> Sequence[CheckRun]:
        """The newest of each name, up to a hundred."""
        with or_not_found(f"There is no commit {sha[:40]}."):
            path = f"{path_of(repository)}/commits/{quote(sha, safe='')}/check-runs"
            found = await self._api.again(secret_of(actor), path, CheckRuns, per_page=PAGE)
            return [one.check_run() for one in found.check_runs]
