"""The objects of `schema.graphql`: each a mapping from fields to values, or to what fetches them.

Knows nothing of how a query is read or limited.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec

from journeyman.api import wire
from journeyman.api.accounts import NODE_PREFIX
from journeyman.api.auth import NOT_ACCESSIBLE
from journeyman.api.errors import Refusal
from journeyman.api.exchange import Addresses
from journeyman.api.parameters import LARGEST_ID, LARGEST_INTEGER
from journeyman.api.renames import follow
from journeyman.domain.errors import AppError, Code
from journeyman.domain.principals import Principal
from journeyman.domain.queries import PullQuery
from journeyman.domain.repositories import Account, Permission, Pull, PullState
from journeyman.forge import Access
from journeyman.service import Services

MOST_NODES = 100
TYPES = {prefix: kind.value for kind, prefix in NODE_PREFIX.items()}
PERMISSIONS = {Permission.READ: "READ", Permission.WRITE: "WRITE", Permission.ADMIN: "ADMIN"}
OFF = (
    "isFork",
    "hasIssuesEnabled",
    "hasWikiEnabled",
    "hasProjectsEnabled",
    "hasDiscussionsEnabled",
)
MERGES = ("mergeCommitAllowed", "rebaseMergeAllowed", "squashMergeAllowed")

Object = dict[str, Any]
Later = Callable[..., Awaitable[Any]]


class Graph:
    """What one caller sees."""

    def __init__(self, services: Services, principal: Principal, addresses: Addresses) -> None:
        self._services = services
        self._principal = principal
        self._addresses = addresses

    def root(self) -> Object:
        return {"viewer": self._viewer(), "nodes": self._nodes, "repository": self._repository}

    def _viewer(self) -> Object:
        endpoints = {"api": self._addresses.api}
        return {**self._account(self._principal.account), "copilotEndpoints": endpoints}

    async def _nodes(self, _info: object, ids: Sequence[str]) -> list[Object | None]:
        """GitHub adds an error for each that is missing, on which gh would give up its whole list;
        here they are null and no more."""
        if len(ids) > MOST_NODES:
            raise Refusal(Code.INVALID, f"You may not provide more than {MOST_NODES} node ids.")
        return [await self._node(one) for one in ids]

    async def _node(self, node_id: str) -> Object | None:
        match parse_node_id(node_id):
            case ("PR", [_, int(pull_id)]):
                self._require("pull_requests=read")
                try:
                    access, pull = await self._services.browsing.pull(self._principal, pull_id)
                except AppError as error:
                    if error.code is Code.NOT_FOUND:
                        return None
                    raise
                return self._pull(access, pull)
            case (prefix, [int(account_id)]) if prefix in TYPES:
                account = await self._services.browsing.account(account_id)
                wanted = account is not None and NODE_PREFIX[account.type] == prefix
                return self._account(account) if account is not None and wanted else None
        return None

    async def _repository(
        self, _info: object, owner: str, name: str, **_options: object
    ) -> Object | None:
        self._require("metadata=read")
        refuse_nul(owner, name)
        try:
            access = await follow(self._services.identity, self._principal, owner, name)
        except AppError as error:
            if error.code is Code.NOT_FOUND:
                wanted = f"{owner}/{name}"[:200]
                message = f"Could not resolve to a Repository with the name '{wanted}'."
                raise Refusal(Code.NOT_FOUND, message) from None
            raise
        return self._of(access)

    def _account(self, account: Account) -> Object:
        return {
            "__typename": account.type.value,
            "id": wire.node_id(NODE_PREFIX[account.type], account.id),
            "databaseId": number(account.id),
            "login": account.login,
            "url": f"{self._addresses.web}/{account.login}",
        }

    def _of(self, access: Access) -> Object:
        repository = access.repository
        page = self._addresses.page(repository)
        return {
            "__typename": "Repository",
            **dict.fromkeys(OFF, False),
            **dict.fromkeys(MERGES, True),
            "id": wire.node_id("R", repository.id),
            "databaseId": number(repository.id),
            "name": repository.name,
            "nameWithOwner": repository.full_name,
            "owner": self._account(repository.owner),
            "url": page,
            # There is git over HTTP only; a client that prefers another way is sent here too.
            "sshUrl": f"{page}.git",
            "isPrivate": repository.private,
            "isArchived": repository.archived,
            "visibility": "PRIVATE" if repository.private else "PUBLIC",
            "viewerPermission": PERMISSIONS.get(access.permission),
            "defaultBranchRef": {"name": repository.default_branch},
            "createdAt": wire.time(repository.created_at),
            "updatedAt": wire.time(repository.updated_at),
            "pushedAt": wire.time(repository.updated_at),
            "pullRequest": self._numbered(access),
            "pullRequests": self._listed(access),
        }

    def _numbered(self, access: Access) -> Later:
        async def find(_info: object, number: int) -> Object:
            self._require("pull_requests=read")
            pull = None
            if 0 < number <= LARGEST_INTEGER:
                pull = await self._services.browsing.pull_numbered(access, number)
            if pull is None:
                message = f"Could not resolve to a PullRequest with the number of {number}."
                raise Refusal(Code.NOT_FOUND, message)
            return self._pull(access, pull)

        return find

    def _listed(self, access: Access) -> Later:
        async def find(_info: object, **wanted: Any) -> Object:
            self._require("pull_requests=read")
            found = await self._services.browsing.pulls(access, pull_query(**wanted))
            states = {name.lower() for name in wanted.get("states") or [*PullState]}
            return {"nodes": [self._pull(access, pull) for pull in found if pull.state in states]}

        return find

    def _pull(self, access: Access, pull: Pull) -> Object:
        repository, end = access.repository, pull.end
        ended = wire.time(end.at) if end else None
        return {
            "__typename": "PullRequest",
            "id": wire.node_id("PR", repository.id, pull.id),
            "fullDatabaseId": str(pull.id),
            "databaseId": number(pull.id),
            "number": pull.number,
            "title": pull.title,
            "body": pull.body,
            "state": pull.state.upper(),
            "isDraft": pull.draft,
            "url": self._addresses.pull_page(repository, pull.number),
            "author": self._author(pull),
            "headRefName": pull.head_ref,
            "baseRefName": pull.base_ref,
            "headRepositoryOwner": self._account(repository.owner),
            "isCrossRepository": False,
            "createdAt": wire.time(pull.created_at),
            "updatedAt": wire.time(pull.updated_at),
            "closedAt": ended,
            "mergedAt": ended if pull.state is PullState.MERGED else None,
            "repository": lambda _info: self._of(access),
        }

    def _author(self, pull: Pull) -> Later:
        async def find(_info: object) -> Object | None:
            account = await self._services.browsing.account(pull.user_id)
            return self._account(account) if account else None

        return find

    def _require(self, permission: str) -> None:
        if not self._principal.allows(permission):
            raise Refusal(Code.FORBIDDEN, NOT_ACCESSIBLE[self._principal.kind])


def number(database_id: int) -> int | None:
    """GraphQL's Int has 32 bits; GitHub leaves larger ids to `fullDatabaseId`."""
    return database_id if database_id <= LARGEST_INTEGER else None


def refuse_nul(*texts: str | None) -> None:
    """A store may not hold one, so nothing has such a name."""
    if any("\0" in text for text in texts if text is not None):
        raise Refusal(Code.INVALID, "A name has a NUL character; leave it out.")


def pull_query(**wanted: Any) -> PullQuery:
    refuse_nul(wanted.get("headRefName"), wanted.get("baseRefName"))
    first = wanted.get("first")
    if first is not None and not 0 < first <= MOST_NODES:
        raise Refusal(Code.INVALID, f"`first` is {first}; give 1 to {MOST_NODES}.")
    states = wanted.get("states")
    is_open = None
    if states and ("OPEN" in states) != (len(set(states)) > 1):
        is_open = "OPEN" in states
    return PullQuery(
        per_page=first or MOST_NODES,
        open=is_open,
        head_ref=wanted.get("headRefName"),
        base_ref=wanted.get("baseRefName"),
    )


def parse_node_id(text: str) -> tuple[str, list[Any]] | None:
    """The prefix and the numbers of a global id; None for what is none of ours."""
    prefix, _, packed = text.partition("_")
    padded = packed + "=" * (-len(packed) % 4)
    try:
        ids = msgspec.msgpack.decode(base64.b64decode(padded, altchars=b"-_"), type=list[int])
    except (binascii.Error, ValueError, msgspec.DecodeError):
        return None
    if len(ids) < 2 or ids[0] != 0 or not all(0 < one <= LARGEST_ID for one in ids[1:]):
        return None
    return prefix, ids[1:]
