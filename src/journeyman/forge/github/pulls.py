"""Pull requests on GitHub: found, opened and changed, each so that doing it twice does it once."""

from __future__ import annotations

from typing import Any

import structlog

from journeyman.domain.errors import AppError, Code
from journeyman.domain.principals import Actor
from journeyman.domain.repositories import Pull, PullState, Repository
from journeyman.forge import ForgeRefused, NewPull, PullChange
from journeyman.forge.github.answers import PullAnswer
from journeyman.forge.github.api import GitHubApi
from journeyman.forge.rest import Missing, Refused, path_of, secret_of

log = structlog.get_logger()

LONGEST_TITLE = 256
LONGEST_BODY = 65_536
"""Characters that GitHub takes."""
CUT = "\n\n_The rest is too long for GitHub._"
READY = (
    "mutation($id:ID!){markPullRequestReadyForReview(input:{pullRequestId:$id})"
    "{pullRequest{isDraft}}}"
)
DRAFT = (
    "mutation($id:ID!){convertPullRequestToDraft(input:{pullRequestId:$id}){pullRequest{isDraft}}}"
)
"""Only GraphQL changes this."""


class GitHubPulls:
    def __init__(self, api: GitHubApi) -> None:
        self._api = api

    async def find_pull(
        self, actor: Actor, repository: Repository, head_ref: str, base_ref: str
    ) -> Pull | None:
        found = await self._open_between(actor, repository, head_ref, base_ref)
        return None if found is None else found.pull(repository)

    async def open_pull(self, actor: Actor, repository: Repository, new: NewPull) -> Pull:
        known = await self._open_between(actor, repository, new.head_ref, new.base_ref)
        made = known or await self._create(actor, repository, new)
        if made.base.repo is None or made.base.repo.id != repository.id:
            raise ForgeRefused(f"{repository.full_name} is another repository by now.")
        if known is None and new.assignee:
            await self._assign(actor, repository, made.number, new.assignee)
        return made.pull(repository)

    async def was_closed(self, actor: Actor, repository: Repository, number: int) -> bool:
        try:
            found = await self._get(actor, repository, number)
        except Missing:
            return False
        return found.pull(repository).state is PullState.CLOSED

    async def update_pull(
        self, actor: Actor, repository: Repository, number: int, change: PullChange
    ) -> Pull:
        """Changes only what is otherwise."""
        try:
            found = await self._get(actor, repository, number)
        except Missing:
            raise AppError(Code.NOT_FOUND, f"There is no pull request #{number}.") from None
        wanted = {"title": _title(change.title), "body": _body(change.body)}
        now = {"title": found.title, "body": found.body or ""}
        changed = {k: v for k, v in wanted.items() if v is not None and v != now[k]}
        if changed:
            path = f"{path_of(repository)}/pulls/{number}"
            found = await self._api.write("PATCH", secret_of(actor), path, changed, PullAnswer)
        if change.draft is not None and change.draft != found.draft:
            found.draft = await self._set_draft(actor, found, draft=change.draft)
            if not found.draft:
                await self._ask_for_review(actor, repository, found)
        return found.pull(repository)

    async def _get(self, actor: Actor, repository: Repository, number: int) -> PullAnswer:
        path = f"{path_of(repository)}/pulls/{number}"
        return await self._api.get(secret_of(actor), path, PullAnswer)

    async def _open_between(
        self, actor: Actor, repository: Repository, head_ref: str, base_ref: str
    ) -> PullAnswer | None:
        """Of the repository itself: a fork's branch may have the same name."""
        try:
            found = await self._api.get(
                secret_of(actor),
                f"{path_of(repository)}/pulls",
                list[PullAnswer],
                state="open",
                head=f"{repository.owner.login}:{head_ref}",
                base=base_ref,
            )
        except Missing:
            return None
        fits = (one for one in found if (one.head.ref, one.base.ref) == (head_ref, base_ref))
        return next(
            (one for one in fits if one.head.repo and one.head.repo.id == repository.id), None
        )

    async def _create(self, actor: Actor, repository: Repository, new: NewPull) -> PullAnswer:
        body = {
            "title": _title(new.title),
            "body": _body(new.body),
            "head": new.head_ref,
            "base": new.base_ref,
            "draft": new.draft,
        }
        try:
            return await self._post(actor, repository, body)
        except Missing:
            raise ForgeRefused(f"{repository.full_name} cannot be seen.") from None
        except Refused as error:
            if error.status != 422:
                raise
            return await self._created_otherwise(actor, repository, new, body, error)

    async def _created_otherwise(
        self,
        actor: Actor,
        repository: Repository,
        new: NewPull,
        body: dict[str, Any],
        error: Refused,
    ) -> PullAnswer:
        told = str(error).lower()
        if new.draft and "draft" in told:  # not in private repositories of every plan
            return await self._create(
                actor, repository, NewPull(new.title, new.body, new.head_ref, new.base_ref, False)
            )
        if "already exists" in told:
            found = await self._open_between(actor, repository, new.head_ref, new.base_ref)
            if found is not None:
                return found
        for field in ("head", "base"):
            if f"{field} is invalid" in told:
                message = f"{repository.full_name} has no branch {body[field]!r}; push it first."
                raise ForgeRefused(message) from error
        raise error

    async def _post(self, actor: Actor, repository: Repository, body: dict[str, Any]) -> PullAnswer:
        path = f"{path_of(repository)}/pulls"
        return await self._api.write("POST", secret_of(actor), path, body, PullAnswer)

    async def _assign(self, actor: Actor, repository: Repository, number: int, login: str) -> None:
        path = f"{path_of(repository)}/issues/{number}/assignees"
        await self._try(actor, path, {"assignees": [login]})

    async def _ask_for_review(self, actor: Actor, repository: Repository, of: PullAnswer) -> None:
        """GitHub lets nobody review what they have opened themselves; they are assigned."""
        if of.user is None or of.user.id != actor.account.id:
            path = f"{path_of(repository)}/pulls/{of.number}/requested_reviewers"
            await self._try(actor, path, {"reviewers": [actor.account.login]})

    async def _try(self, actor: Actor, path: str, body: dict[str, Any]) -> None:
        """What a pull request does without: not everybody can be assigned, or asked."""
        try:
            await self._api.write("POST", secret_of(actor), path, body, dict)
        except (Missing, Refused) as error:
            log.info("forge.not_asked", path=path, error=str(error))

    async def _set_draft(self, actor: Actor, of: PullAnswer, *, draft: bool) -> bool:
        """What it is then. Where there are no drafts it stays what it is."""
        try:
            query = DRAFT if draft else READY
            await self._api.graphql(secret_of(actor), query, {"id": of.node_id})
        except Refused as error:
            if not draft:
                raise
            log.info("forge.no_draft", pull=of.number, error=str(error))
            return of.draft
        return draft


def _title(text: str | None) -> str | None:
    return None if text is None else text[:LONGEST_TITLE]


def _body(text: str | None) -> str | None:
    if text is None or len(text) <= LONGEST_BODY:
        return text
    return text[: LONGEST_BODY - len(CUT)] + CUT
