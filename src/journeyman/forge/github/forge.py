"""The Forge contract on GitHub: the user's own token does what the user asked for."""

from __future__ import annotations

import base64
import re
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

import httpx

from journeyman.domain.errors import AppError, Code
from journeyman.domain.principals import Actor, Principal
from journeyman.domain.repositories import Permission, Repository
from journeyman.domain.roles import FRESH_SECONDS, FRESH_SECONDS_WITHOUT
from journeyman.forge import (
    Access,
    Answer,
    CredentialRefused,
    Remote,
    credential,
)
from journeyman.forge.github.answers import Blob, Entry, Reference, RepositoryAnswer
from journeyman.forge.github.api import TIMEOUT, Api, Missing, Refused, path_of, secret_of
from journeyman.forge.github.discussion import GitHubChecks, GitHubDiscussion
from journeyman.forge.github.pulls import GitHubPulls
from journeyman.forge.github.tokens import Tokens, bad_credentials, digest
from journeyman.forge.lately import Lately
from journeyman.forge.refs import can_be_branch

_NAME = re.compile(r"[A-Za-z0-9._-]{1,100}")
PASSED = (
    "content-type",
    "etag",
    "last-modified",
    "link",
    "x-oauth-scopes",
    "x-accepted-oauth-scopes",
)
"""What of an answer's headers is passed on."""
FILE_BYTES = 128 << 10
MOST_FILES = 200


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
    that only grow."""

    name, news = "github", None

    def __init__(
        self,
        client: httpx.AsyncClient,
        url: str,
        *,
        ca_file: str = "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        addresses = Addresses.of(url)
        self._api = Api(client, addresses.api, addresses.graphql)
        super().__init__(self._api)
        self.url = addresses.web
        self.noreply = addresses.noreply
        self.discussion = GitHubDiscussion(self._api)
        self.checks = GitHubChecks(self._api)
        self._ca_file = ca_file
        self._tokens = Tokens(self._api, clock=clock)
        self._accesses = Lately[tuple[bytes, str], Access | None](_fresh_seconds, clock=clock)

    @property
    def passing(self) -> GitHubForge:
        return self

    @property
    def texts(self) -> GitHubForge:
        return self

    async def identify(self, token: str) -> Principal:
        return await self._tokens.identify(token)

    async def find_access(self, principal: Principal, owner: str, name: str) -> Access | None:
        """A token that has been revoked since it was looked at is UNAUTHENTICATED."""
        if not principal.secret or not (_is_name(owner) and _is_name(name)):
            return None
        secret, key = principal.secret, f"{owner}/{name}".lower()
        try:
            found = await self._accesses.get(
                (digest(secret), key), lambda: self._access(secret, owner, name)
            )
        except CredentialRefused:
            raise bad_credentials() from None
        if found is None:
            return None
        repository = found.repository
        reaches = principal.limit(found.permission, repository.id, private=repository.private)
        return Access(repository, reaches) if reaches else None

    async def _access(self, secret: str, owner: str, name: str) -> Access | None:
        try:
            found = await self._api.get(secret, f"/repos/{owner}/{name}", RepositoryAnswer)
        except Missing:
            return None
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
        """By the name that it has now. NOT_FOUND when *actor* may not see it, or when another
        repository has its name."""
        secret = secret_of(actor)
        try:
            found = await self._api.get(secret, path_of(repository), RepositoryAnswer)
        except Missing:
            raise AppError(
                Code.NOT_FOUND, f"{repository.full_name} is not visible to {actor.account.login}."
            ) from None
        now = found.repository()
        if now.id != repository.id:
            raise AppError(
                Code.NOT_FOUND, f"Another repository is called {repository.full_name} by now."
            )
        env = credential.for_git(secret, self.url, ca_file=self._ca_file)
        writable = found.permission() >= Permission.WRITE and not now.archived
        return Remote(f"{self.url}/{now.full_name}.git", env=env, writable=writable)

    async def get(self, principal: Principal, path: str, query: str, accept: str) -> Answer:
        answer = await self._api.ask(principal.secret or "", path, query, accept)
        kept = {name: answer.headers[name] for name in PASSED if name in answer.headers}
        if "link" in kept:
            kept["link"] = kept["link"].replace(self._api.url, "{api}")
        return Answer(answer.status, kept, answer.body)

    async def below(
        self, actor: Actor, repository: Repository, ref: str, directory: str
    ) -> Mapping[str, str]:
        """Files are taken from the listing's ids, so that links lead nowhere."""
        secret, path = secret_of(actor), path_of(repository)
        where = f"{path}/contents/{quote(directory.strip('/'))}"
        try:
            listed = await self._api.get(secret, where, list[Entry] | Entry, ref=ref)  # type: ignore[arg-type]
        except Missing:
            return {}
        entries = listed if isinstance(listed, list) else []
        files = [one for one in entries if one.type == "file" and one.size <= FILE_BYTES]
        found = dict[str, str]()
        for one in files[:MOST_FILES]:
            blob = await self._api.get(secret, f"{path}/git/blobs/{one.sha}", Blob)
            found[one.path] = base64.b64decode(blob.content).decode("utf-8", "replace")
        return found


def _fresh_seconds(found: Access | None) -> float:
    return FRESH_SECONDS if found else FRESH_SECONDS_WITHOUT


def _is_name(text: str) -> bool:
    return _NAME.fullmatch(text) is not None and text not in (".", "..")


def client(ca_file: str = "") -> httpx.AsyncClient:
    """With the certificates of the system and, where one is named, those of a file."""
    trusted = ssl.create_default_context()
    if ca_file:
        trusted.load_verify_locations(ca_file)
    return httpx.AsyncClient(
        verify=trusted,
        timeout=TIMEOUT,
        headers={"User-Agent": "journeyman"},
        limits=httpx.Limits(max_connections=50, max_keepalive_connections=20),
    )
