"""The Forge contract on GitHub: the user's own token does what the user asked for."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

import httpx

from journeyman.domain.principals import Actor, Principal
from journeyman.domain.refs import can_be_branch
from journeyman.domain.repositories import Repository
from journeyman.forge import (
    Access,
    Answer,
    Remote,
    credential,
)
from journeyman.forge.callers import Callers
from journeyman.forge.credential import DIRECT, Way
from journeyman.forge.github.answers import Reference, RepositoryAnswer
from journeyman.forge.github.api import GitHubApi
from journeyman.forge.github.discussion import GitHubChecks, GitHubDiscussion
from journeyman.forge.github.news import GitHubNews
from journeyman.forge.github.pulls import GitHubPulls
from journeyman.forge.github.sign_in import App, GitHubSignIn
from journeyman.forge.github.tokens import whose
from journeyman.forge.rest import Missing, Refused, path_of, secret_of
from journeyman.forge.rest_listing import RestListing
from journeyman.forge.rest_texts import RestTexts

PASSED = (
    "content-type",
    "etag",
    "last-modified",
    "link",
    "x-oauth-scopes",
    "x-accepted-oauth-scopes",
)
"""What of an answer's headers is passed on."""


@dataclass(frozen=True)
class Addresses:
    """Where a GitHub has what; all without a slash at the end."""

    web: str
    api: str
    graphql: str
    noreply: str
    """The domain of the e-mail addresses that stand for accounts."""

    @classmethod
    def of(cls, url: str) -> Addresses:
        """*url*: where people look at it."""
        parts = urlsplit(url)
        host = parts.netloc.lower().removeprefix("www.")
        if host == "github.com" or host.endswith(".ghe.com"):
            api = f"{parts.scheme}://api.{host}"
            return cls(f"{parts.scheme}://{host}", api, f"{api}/graphql", f"users.noreply.{host}")
        web = f"{parts.scheme}://{host}"
        name = f"users.noreply.{parts.hostname or host}"
        return cls(web, f"{web}/api/v3", f"{web}/api/graphql", name)


class GitHubForge(GitHubPulls):
    """*client*: with the certificates to trust; it is the caller's to close. *clock* gives seconds
    that only grow. *app*: by which people log in on the web."""

    name, pull_path = "github", "pull"

    def __init__(
        self,
        client: httpx.AsyncClient,
        url: str,
        *,
        way: Way = DIRECT,
        app: App | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        addresses = Addresses.of(url)
        self._api = GitHubApi(client, addresses.api, addresses.graphql)
        super().__init__(self._api)
        self.url = addresses.web
        self.noreply = addresses.noreply
        self.discussion = GitHubDiscussion(self._api)
        self.checks = GitHubChecks(self._api)
        self.texts = RestTexts(self._api)
        self.news = GitHubNews(self._api)
        self.listing = RestListing(self._api, RepositoryAnswer, clock=clock)
        self.sign_in = GitHubSignIn(client, self.url, app) if app else None
        self._way = way
        self._callers = Callers(
            lambda token, roles: whose(self._api, token, roles), self._access, clock=clock
        )

    @property
    def passing(self) -> GitHubForge:
        return self

    async def identify(self, token: str) -> Principal:
        return await self._callers.identify(token)

    async def find_access(self, principal: Principal, owner: str, name: str) -> Access | None:
        return await self._callers.find_access(principal, owner, name)

    async def _access(self, secret: str, owner: str, name: str) -> Access:
        found = await self._api.get(secret, f"/repos/{owner}/{name}", RepositoryAnswer)
        return Access(found.repository(), found.permission())

    async def find_tip(self, actor: Actor, repository: Repository, branch: str) -> str | None:
        if not can_be_branch(branch):
            return None
        path = f"{path_of(repository)}/git/ref/heads/{quote(branch, safe='/')}"
        try:
            found = await self._api.get(secret_of(actor), path, Reference)
        except Missing:
            return None
        except Refused as error:
            if error.status == 409:  # "Git Repository is empty."
                return None
            raise
        return found.object.sha

    async def remote(self, actor: Actor, repository: Repository) -> Remote:
        found = await self._callers.look(actor, repository)
        env = credential.for_git(secret_of(actor), self.url, way=self._way)
        return Remote(
            f"{self.url}/{found.repository.full_name}.git", env=env, writable=found.is_writable
        )

    async def get(self, principal: Principal, path: str, query: str, accept: str) -> Answer:
        answer = await self._api.ask(principal.secret or "", path, query, accept)
        kept = {name: answer.headers[name] for name in PASSED if name in answer.headers}
        if "link" in kept:
            kept["link"] = kept["link"].replace(self._api.url, "{api}")
        return Answer(answer.status, kept, answer.body)
