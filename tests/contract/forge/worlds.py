"""What the forge suite needs of an implementation, and the implementations that it runs on.

Alice owns the private repository `alice/App`, Bob may read it, Mallory may not see it. It has the
branches `main` and `topic`, and the tag `v1`.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

import pytest

from journeyman.domain.principals import PREFIXES, SCOPED, Actor, TokenKind, kind_of
from journeyman.domain.repositories import Account, AccountType, Permission, Repository
from journeyman.forge import Forge
from journeyman.forge.embedded.forge import EmbeddedForge
from journeyman.forge.gitea.forge import GiteaForge
from journeyman.forge.github.forge import GitHubForge
from journeyman.forge.rest import client
from tests.contract.records import START, MemoryRecords
from tests.integration.forge.client import commit, git, repository
from tests.peers.gitea import server as gitea_server
from tests.peers.gitea.description import Description as GiteaDescription
from tests.peers.gitea.server import Gitea
from tests.peers.github.description import Description
from tests.peers.github.server import GitHub, serving
from tests.peers.github.state import MADE, State


class World(Protocol):
    """A forge with three users and a repository."""

    @property
    def forge(self) -> Forge: ...

    @property
    def app(self) -> Repository: ...

    @property
    def source(self) -> Path:
        """A clone of `app` as it was made."""
        ...

    @property
    def kinds(self) -> Mapping[str, TokenKind]:
        """The tokens that it issues to users: by prefix, or what the forge calls them."""
        ...

    @property
    def tells_expiry(self) -> bool:
        """Whether it says of a token when it ends."""
        ...

    def account(self, login: str) -> Account: ...

    def token(
        self,
        login: str,
        kind: str = "",
        *,
        expires_in: timedelta | None = None,
        revoked: bool = False,
    ) -> str:
        """A new one; without a *kind* any of `kinds`."""
        ...

    def actor(self, login: str) -> Actor: ...


def source(directory: Path) -> Path:
    made = repository(directory / "source")
    git(made, "checkout", "-q", "topic")
    commit(made, "topic.txt", "1\n", "Begin the topic")
    git(made, "checkout", "-q", "main")
    return made


GITHUB_KINDS = {prefix: kind for prefix, kind in PREFIXES.items() if prefix != "ghs_"}


class Embedded:
    kinds = GITHUB_KINDS
    tells_expiry = True

    def __init__(self, directory: Path) -> None:
        self.records = MemoryRecords()
        for login in ("alice", "bob", "mallory"):
            self.records.add_account(login)
        self.app = self.records.add_repository(self.account("alice"), "App")
        self.records.collaborators[self.account("bob").id, self.app.id] = Permission.READ
        self.forge = EmbeddedForge(self.records, directory / "repositories", clock=_clock)
        self.source = source(directory)

    def account(self, login: str) -> Account:
        return self.records.accounts[login]

    def token(
        self,
        login: str,
        kind: str = "",
        *,
        expires_in: timedelta | None = None,
        revoked: bool = False,
    ) -> str:
        made = self.records.add_token(
            self.account(login), kind or "ghp_", expires_in=expires_in, revoked=revoked
        )
        assert kind_of(made)
        return made

    def actor(self, login: str) -> Actor:
        return Actor(self.account(login))


@asynccontextmanager
async def embedded(directory: Path) -> AsyncIterator[World]:
    made = Embedded(directory)
    await made.forge.import_repository(made.app.id, str(made.source))
    yield made


def _clock() -> datetime:
    return START


class OnServer:
    """What is on a local server of some forge."""

    def __init__(self, state: State, directory: Path) -> None:
        self._state = state
        for login in ("alice", "bob", "mallory"):
            state.add_user(login)
        self.source = source(directory)
        self.repository = state.add_repository("alice/App", self.source)
        self.repository.roles[self.account("bob").id] = "read"
        owner = self.account("alice")
        self.app = Repository(self.repository.id, owner, "App", "main", True, False, MADE, MADE)

    def account(self, login: str) -> Account:
        user = self._state.user(login)
        return Account(user.id, user.login, AccountType.USER, False, MADE)


class OnGitHub(OnServer):
    kinds = GITHUB_KINDS
    tells_expiry = True

    def __init__(self, server: GitHub, forge: GitHubForge, directory: Path) -> None:
        super().__init__(server.state, directory)
        self.server, self.forge = server, forge

    def token(
        self,
        login: str,
        kind: str = "",
        *,
        expires_in: timedelta | None = None,
        revoked: bool = False,
    ) -> str:
        prefix = kind or "ghp_"
        return self.server.state.add_token(
            login,
            prefix,
            scopes=("repo",) if PREFIXES[prefix] in SCOPED else (),
            expires_in=expires_in,
            revoked=revoked,
        )

    def actor(self, login: str) -> Actor:
        return Actor(self.account(login), self.token(login))


@asynccontextmanager
async def on_github(
    directory: Path, description: Description, clock: Callable[[], float] = time.monotonic
) -> AsyncIterator[OnGitHub]:
    """Whatever is said to it fits GitHub's description."""
    async with serving(description, directory / "github") as server, client() as http:
        yield OnGitHub(server, GitHubForge(http, server.url, clock=clock), directory)
        assert not server.problems, server.problems


class OnGitea(OnServer):
    kinds: Mapping[str, TokenKind] = dict.fromkeys(gitea_server.KINDS, TokenKind.FINE_GRAINED)
    tells_expiry = False

    def __init__(self, server: Gitea, forge: GiteaForge, directory: Path) -> None:
        super().__init__(server.state, directory)
        self.server, self.forge = server, forge

    def token(
        self,
        login: str,
        kind: str = "",
        *,
        expires_in: timedelta | None = None,
        revoked: bool = False,
    ) -> str:
        over = expires_in is not None and expires_in <= timedelta(0)
        return self.server.add_token(login, kind or "access", revoked=revoked or over)

    def actor(self, login: str) -> Actor:
        return Actor(self.account(login), self.token(login))


@asynccontextmanager
async def on_gitea(
    directory: Path, description: GiteaDescription, clock: Callable[[], float] = time.monotonic
) -> AsyncIterator[OnGitea]:
    """Whatever is said to it fits what Gitea, or Forgejo, publishes of its API."""
    async with gitea_server.serving(description, directory / "gitea") as server, client() as http:
        yield OnGitea(server, GiteaForge(http, server.url, clock=clock), directory)
        assert not server.problems, server.problems


Maker = Callable[[Path, pytest.FixtureRequest], AbstractAsyncContextManager[World]]

WORLDS: Mapping[str, Maker] = {
    "embedded": lambda directory, _request: embedded(directory),
    "github": lambda directory, request: on_github(
        directory, request.getfixturevalue("github_description")
    ),
    "gitea": lambda directory, request: on_gitea(
        directory, request.getfixturevalue("gitea_description")
    ),
    "forgejo": lambda directory, request: on_gitea(
        directory, request.getfixturevalue("forgejo_description")
    ),
}
"""By the forge's name. Each makes one in an empty directory, and cleans up after it."""
NEEDS = {name: [pytest.mark.npm] for name in ("github", "gitea", "forgejo")}
"""What of the machine the world needs."""
