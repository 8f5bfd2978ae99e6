"""Issues, comments and reactions by the operations that GitHub's and Gitea's APIs share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import quote

import msgspec

from journeyman.domain.discussions import Comment, Issue, Place, PullHead, Reaction
from journeyman.domain.errors import not_found
from journeyman.domain.principals import Actor
from journeyman.domain.repositories import Permission, Repository
from journeyman.forge.rest import Api, Missing, path_of, secret_of

GRANTED = {
    "owner": Permission.ADMIN,
    "admin": Permission.ADMIN,
    "write": Permission.WRITE,
    "read": Permission.READ,
}
"""GitHub tells maintain and triage as write and read; only Gitea tells of an owner."""


class IssueShape(Protocol):
    def issue(self) -> Issue: ...


class PullShape(Protocol):
    def pull_head(self) -> PullHead: ...


class CommentShape(Protocol):
    def comment(self) -> Comment: ...


@dataclass(frozen=True)
class Shapes:
    """What a forge answers with, and where it has what people react to."""

    issue: type[IssueShape]
    pull: type[PullShape]
    comment: type[CommentShape]
    places: Mapping[Place, str]
    """Below the repository, with `{}` for the id."""


class CollaboratorPermission(msgspec.Struct):
    permission: str


class RestDiscussion:
    def __init__(self, api: Api, shapes: Shapes) -> None:
        self._api = api
        self._shapes = shapes

    async def issue(self, actor: Actor, repository: Repository, number: int) -> Issue:
        with or_not_found(f"There is no issue #{number}."):
            path = f"{path_of(repository)}/issues/{number}"
            return (await self._api.get(secret_of(actor), path, self._shapes.issue)).issue()

    async def pull_head(self, actor: Actor, repository: Repository, number: int) -> PullHead:
        with or_not_found(f"There is no pull request #{number}."):
            path = f"{path_of(repository)}/pulls/{number}"
            return (await self._api.again(secret_of(actor), path, self._shapes.pull)).pull_head()

    async def comment(
        self, actor: Actor, repository: Repository, number: int, body: str
    ) -> Comment:
        with or_not_found(f"There is no issue #{number}."):
            path, said = f"{path_of(repository)}/issues/{number}/comments", {"body": body}
            kind = self._shapes.comment
            return (await self._api.write("POST", secret_of(actor), path, said, kind)).comment()

    async def react(
        self, actor: Actor, repository: Repository, place: Place, id: int, reaction: Reaction
    ) -> None:
        with or_not_found(f"There is no {place} {id}."):
            path = f"{path_of(repository)}/{self._shapes.places[place].format(id)}/reactions"
            said = {"content": reaction.value}
            await self._api.write("POST", secret_of(actor), path, said, dict[str, Any])

    async def permission_of(self, actor: Actor, repository: Repository, login: str) -> Permission:
        path = f"{path_of(repository)}/collaborators/{quote(login, safe='')}/permission"
        try:
            told = await self._api.get(secret_of(actor), path, CollaboratorPermission)
        except Missing:
            return Permission.NONE
        return GRANTED.get(told.permission, Permission.NONE)


@contextmanager
def or_not_found(otherwise: str) -> Iterator[None]:
    try:
        yield
    except Missing:
        raise not_found(otherwise) from None
