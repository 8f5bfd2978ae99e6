"""Issues, comments, reactions and commit statuses on Gitea and Forgejo."""

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
from journeyman.forge.gitea.answers import (
    CombinedStatus,
    CommentAnswer,
    IssueAnswer,
    PullAnswer,
    ReviewAnswer,
    ReviewCommentAnswer,
)
from journeyman.forge.rest import PAGE, Api, path_of, secret_of
from journeyman.forge.rest_discussion import RestDiscussion, Shapes, or_not_found

PLACES = {
    Place.ISSUE: "issues/{}",
    Place.COMMENT: "issues/comments/{}",
    Place.REVIEW_COMMENT: "issues/comments/{}",
}
"""A comment on a line is one of the pull request's too."""
SHAPES = Shapes(IssueAnswer, PullAnswer, CommentAnswer, PLACES)


class GiteaDiscussion(RestDiscussion):
    """Reviews are read up to 1000; an issue's comments come all at once."""

    def __init__(self, api: Api) -> None:
        super().__init__(api, SHAPES)

    async def comments(
        self, actor: Actor, repository: Repository, number: int
    ) -> Sequence[Comment]:
        with or_not_found(f"There is no issue #{number}."):
            path = f"{path_of(repository)}/issues/{number}/comments"
            found = await self._api.get(secret_of(actor), path, list[CommentAnswer])
            return [one.comment() for one in found]

    async def review_comments(
        self, actor: Actor, repository: Repository, number: int
    ) -> Sequence[ReviewComment]:
        """By way of the reviews: Gitea lists them in no other."""
        with or_not_found(f"There is no pull request #{number}."):
            path = f"{path_of(repository)}/pulls/{number}/reviews"
            reviews = await self._api.pages(secret_of(actor), path, ReviewAnswer)
            found: list[ReviewComment] = []
            for review in reviews:
                if review.comments_count:
                    below = f"{path}/{review.id}/comments"
                    some = await self._api.get(secret_of(actor), below, list[ReviewCommentAnswer])
                    found += [one.review_comment() for one in some]
            return sorted(found, key=lambda one: (one.created_at, one.id))


class GiteaChecks:
    def __init__(self, api: Api) -> None:
        self._api = api

    async def check_runs(
        self, actor: Actor, repository: Repository, sha: str
    ) -> Sequence[CheckRun]:
        """The newest of each context, up to a page of them."""
        with or_not_found(f"There is no commit {sha[:40]}."):
            path = f"{path_of(repository)}/commits/{quote(sha, safe='')}/status"
            found = await self._api.get(secret_of(actor), path, CombinedStatus, limit=PAGE)
            return [one.check_run() for one in found.statuses or ()]
