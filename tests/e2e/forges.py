"""Where the repositories of a fleet are: in the server's own forge, or on a GitHub elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import httpx

from tests.e2e.server import Server, journeyman
from tests.peers.github.description import Description
from tests.peers.github.server import GitHub, serving
from tests.peers.in_a_thread import in_a_thread

Told = tuple[str, str, bool]
"""A pull request: its repository's full name, its branch, whether it is a draft."""


class Forge(Protocol):
    bares: Path
    """Where `<id>.git` are."""

    @property
    def ports(self) -> Sequence[int]:
        """Where it answers."""
        ...

    def reached(self, road: str) -> dict[str, str]:
        """The settings of processes that reach it by the address *road*."""
        ...

    def add(self, login: str, source: Path) -> str:
        """A user with the repository `<login>/hello` like *source*; gives a token."""
        ...

    def pulls(self) -> list[Told]: ...


class Embedded:
    """Git goes to the servers; the rest is in their database."""

    def __init__(self, servers: Sequence[Server]) -> None:
        self._servers = servers
        self._tokens: dict[str, str] = {}
        self.bares = servers[0].data / "repositories"

    @property
    def ports(self) -> Sequence[int]:
        return [server.port for server in self._servers]

    def reached(self, road: str) -> dict[str, str]:
        return {"JOURNEYMAN_WORKER_SERVER_URL": road}

    def add(self, login: str, source: Path) -> str:
        told = {"data": self._servers[0].data, **self._servers[0].environ}
        token = journeyman("token", "create", "--user", login, "--create-user", **told)  # type: ignore[arg-type]
        added = journeyman("repo", "add", f"{login}/hello", str(source), **told)  # type: ignore[arg-type]
        added.check_returncode()
        self._tokens[login] = token.stdout.strip()
        return self._tokens[login]

    def pulls(self) -> list[Told]:
        found = list[Told]()
        for login, token in self._tokens.items():
            answer = httpx.get(
                f"{self._servers[0].url}/repos/{login}/hello/pulls?state=all&per_page=100",
                headers={"Authorization": f"Bearer {token}"},
            )
            for pull in answer.raise_for_status().json():
                found.append((f"{login}/hello", pull["head"]["ref"], pull["draft"]))
        return found


class OnGitHub:
    """All of it is asked for over HTTP, git and pull requests."""

    def __init__(self, github: GitHub, servers: Sequence[Server]) -> None:
        self._github = github
        self._servers = servers
        self.bares = github.state.directory

    @property
    def ports(self) -> Sequence[int]:
        return [httpx.URL(self._github.url).port or 80]

    def reached(self, road: str) -> dict[str, str]:
        return {
            "JOURNEYMAN_FORGE_KIND": "github",
            "JOURNEYMAN_FORGE_URL": road,
            "JOURNEYMAN_WORKER_SERVER_URL": self._servers[0].url,
        }

    def add(self, login: str, source: Path) -> str:
        self._github.state.add_user(login)
        self._github.state.add_repository(f"{login}/hello", source)
        return self._github.state.add_token(login)

    def pulls(self) -> list[Told]:
        known = self._github.state.repositories
        return [(one.full_name, pull.head, pull.draft) for one in known for pull in one.pulls]


@contextmanager
def on_github(
    directory: Path, description: Description, servers: Sequence[Server]
) -> Iterator[OnGitHub]:
    with in_a_thread(serving(description, directory)) as github:
        yield OnGitHub(github, servers)
        assert not github.problems, github.problems
