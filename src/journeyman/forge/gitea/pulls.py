"""Pull requests on Gitea and Forgejo: found, opened and changed, each so that doing it twice does
it once.

They have no drafts but by a prefix of the title.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import structlog

from journeyman.domain.errors import not_found
from journeyman.domain.principals import Actor
from journeyman.domain.refs import can_be_branch
from journeyman.domain.repositories import Pull, PullState, Repository
from journeyman.forge import ForgeRefused, NewPull, PullChange
from journeyman.forge.gitea.answers import BranchAnswer, PullAnswer, without_draft
from journeyman.forge.rest import Api, Missing, Refused, path_of, secret_of

log = structlog.get_logger()

DRAFT = "WIP: "
"""A draft to every Gitea and Forgejo that has not been told otherwise."""
LONGEST_TITLE = 255
"""Characters that they keep."""


class GiteaPulls:
    def __init__(self, api: Api) -> None:
        self._api = api

    async def find_tip(self, actor: Actor, repository: Repository, branch: str) -> str | None:
        if not can_be_branch(branch):
            return None
        path = f"{path_of(repository)}/branches/{quote(branch, safe='/')}"
        try:
            return (await self._api.get(secret_of(actor), path, BranchAnswer)).commit.id
        except Missing:
            return None

    async def find_pull(
        self, actor: Actor, repository: Repository, head_ref: str, base_ref: str
    ) -> Pull | None:
        found = await self._open_between(actor, repository, head_ref, base_ref)
        return None if found is None else found.pull(repository)

    async def open_pull(self, actor: Actor, repository: Repository, new: NewPull) -> Pull:
        known = await self._open_between(actor, repository, new.head_ref, new.base_ref)
        made = known or await self._create(actor, repository, new, new.assignee)
        if made.base.repo_id != repository.id:
            raise ForgeRefused(f"{repository.full_name} is another repository by now.")
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
            raise not_found(f"There is no pull request #{number}.") from None
        was_draft = found.draft
        draft = was_draft if change.draft is None else change.draft
        wanted = {"title": _title(change.title or found.title, draft=draft), "body": change.body}
        if draft == was_draft and change.title is None:
            del wanted["title"]
        now = {"title": found.title, "body": found.body or ""}
        changed = {k: v for k, v in wanted.items() if v is not None and v != now[k]}
        if changed:
            path = f"{path_of(repository)}/pulls/{number}"
            found = await self._api.write("PATCH", secret_of(actor), path, changed, PullAnswer)
        if was_draft and not found.draft:
            await self._ask_for_review(actor, repository, found)
        return found.pull(repository)

    async def _get(self, actor: Actor, repository: Repository, number: int) -> PullAnswer:
        path = f"{path_of(repository)}/pulls/{number}"
        return await self._api.get(secret_of(actor), path, PullAnswer)

    async def _open_between(
        self, actor: Actor, repository: Repository, head_ref: str, base_ref: str
    ) -> PullAnswer | None:
        """Of the repository itself. By its branches Gitea finds any pull request, also one that
        was closed long ago; only then the open ones are looked through."""
        path = f"{path_of(repository)}/pulls/{quote(base_ref, safe='')}/{quote(head_ref, safe='/')}"
        try:
            found = await self._api.get(secret_of(actor), path, PullAnswer)
        except Missing:
            return None
        if found.state == "open":
            return found
        return await self._listed(actor, repository, head_ref, base_ref)

    async def _listed(
        self, actor: Actor, repository: Repository, head_ref: str, base_ref: str
    ) -> PullAnswer | None:
        path = f"{path_of(repository)}/pulls"
        try:
            found = await self._api.pages(secret_of(actor), path, PullAnswer, state="open")
        except Missing:
            return None
        fits = (one for one in found if (one.head.ref, one.base.ref) == (head_ref, base_ref))
        return next((one for one in fits if one.head.repo_id == repository.id), None)

    async def _create(
        self, actor: Actor, repository: Repository, new: NewPull, assignee: str
    ) -> PullAnswer:
        body: dict[str, Any] = {
            "title": _title(new.title, draft=new.draft),
            "body": new.body,
            "head": new.head_ref,
            "base": new.base_ref,
            **({"assignees": [assignee]} if assignee else {}),
        }
        path = f"{path_of(repository)}/pulls"
        try:
            return await self._api.write("POST", secret_of(actor), path, body, PullAnswer)
        except Missing:
            raise await self._why_not(actor, repository, new) from None
        except Refused as error:
            if error.status == 409:  # meanwhile, or a proxy hides the look by branches
                found = await self._listed(actor, repository, new.head_ref, new.base_ref)
                if found is not None:
                    return found
            if error.status == 422 and assignee:  # not everybody can be assigned
                log.info("forge.not_assigned", error=str(error))
                return await self._create(actor, repository, new, "")
            raise

    async def _why_not(self, actor: Actor, repository: Repository, new: NewPull) -> ForgeRefused:
        for ref in (new.head_ref, new.base_ref):
            if await self.find_tip(actor, repository, ref) is None:
                message = f"{repository.full_name} has no branch {ref!r}; push it first."
                return ForgeRefused(message)
        told = f"{repository.full_name} takes no pull requests, or not with this token."
        return ForgeRefused(told, forbidden=True)

    async def _ask_for_review(self, actor: Actor, repository: Repository, of: PullAnswer) -> None:
        """Nobody reviews what they have opened themselves; they are assigned."""
        if of.user is None or of.user.id == actor.account.id:
            return
        path = f"{path_of(repository)}/pulls/{of.number}/requested_reviewers"
        asked = {"reviewers": [actor.account.login]}
        try:
            await self._api.write("POST", secret_of(actor), path, asked, list[Any])
        except (Missing, Refused) as error:
            log.info("forge.not_asked", path=path, error=str(error))


def _title(text: str, *, draft: bool) -> str:
    return ((DRAFT if draft else "") + without_draft(text))[:LONGEST_TITLE]
