"""The Forge contract on Gitea and Forgejo: the user's own token does what the user asked for."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

import httpx

from journeyman.domain.principals import Actor, Principal, TokenKind
from journeyman.domain.repositories import Repository
from journeyman.domain.roles import Roles
from journeyman.forge import Access, Remote, credential
from journeyman.forge.callers import Callers
from journeyman.forge.credential import DIRECT, Way
from journeyman.forge.gitea.answers import RepositoryAnswer, User
from journeyman.forge.gitea.discussion import GiteaChecks, GiteaDiscussion
from journeyman.forge.gitea.news import GiteaNews
from journeyman.forge.gitea.pulls import GiteaPulls
from journeyman.forge.rest import Api, Dialect, secret_of
from journeyman.forge.rest_listing import RestListing
from journeyman.forge.rest_texts import RestTexts

DIALECT = Dialect(
    "Gitea", scheme="token", page_size="limit", headers={"Accept": "application/json"}
)
"""`token` is taken for access tokens and for those that OAuth gives out."""


class GiteaForge(GiteaPulls):
    """*client*: with the certificates to trust; it is the caller's to close. *clock* gives seconds
    that only grow."""

    name, pull_path = "gitea", "pulls"
    passing = sign_in = None

    def __init__(
        self,
        client: httpx.AsyncClient,
        url: str,
        *,
        way: Way = DIRECT,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.url = url.rstrip("/")
        super().__init__(Api(client, f"{self.url}/api/v1", DIALECT))
        self.noreply = f"noreply.{urlsplit(url).hostname}"
        self.discussion = GiteaDiscussion(self._api)
        self.checks = GiteaChecks(self._api)
        self.news = GiteaNews(self._api)
        self.listing = RestListing(self._api, RepositoryAnswer, clock=clock)
        self.texts = GiteaTexts(self._api)
        self._way = way
        self._callers = Callers(self._whose, self._reaches, clock=clock)

    async def identify(self, token: str) -> Principal:
        return await self._callers.identify(token)

    async def find_access(self, principal: Principal, owner: str, name: str) -> Access | None:
        return await self._callers.find_access(principal, owner, name)

    async def remote(self, actor: Actor, repository: Repository) -> Remote:
        found = await self._callers.look(actor, repository)
        env = credential.for_git(secret_of(actor), self.url, way=self._way)
        return Remote(
            f"{self.url}/{found.repository.full_name}.git", env=env, writable=found.is_writable
        )

    async def _whose(self, token: str, roles: Roles) -> Principal:
        """Nothing outside tells what a token may do, or how long: Gitea itself refuses what it may
        not."""
        found = await self._api.get(token, "/user", User)
        return Principal(
            account=found.account(), kind=TokenKind.FINE_GRAINED, secret=token, roles=roles
        )

    async def _reaches(self, secret: str, owner: str, name: str) -> Access:
        found = await self._api.get(secret, f"/repos/{owner}/{name}", RepositoryAnswer)
        return Access(found.repository(), found.permission())


class GiteaTexts(RestTexts):
    async def below(
        self, actor: Actor, repository: Repository, ref: str, directory: str
    ) -> Mapping[str, str]:
        """Gitea takes branches by their short names."""
        return await super().below(actor, repository, ref.removeprefix("refs/heads/"), directory)
