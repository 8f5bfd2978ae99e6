"""The whole service in this process, with a GitHub on a local socket as its forge."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from journeyman import app
from journeyman.domain.triggers import Rules
from journeyman.service.clock import utc_now
from tests.conftest import Clock, configured
from tests.integration.forge.client import commit, git, repository
from tests.integration.github.site import URL, Site
from tests.peers.github.description import Description
from tests.peers.github.server import GitHub, serving
from tests.peers.github.state import Repository

TASKS = "/agents/repos/octo/app/tasks"
ENDED = ("completed", "failed", "timed_out", "cancelled")


@dataclass
class Service:
    """*tokens*: of octo, who owns `octo/app`, bob, who may write, and mallory, who sees nothing."""

    parts: app.Parts
    github: GitHub
    repository: Repository
    tokens: dict[str, str]
    clients: dict[str, httpx.AsyncClient] = field(default_factory=dict)

    def client(self, token: str) -> httpx.AsyncClient:
        if token not in self.clients:
            transport = httpx.ASGITransport(app.asgi_app(self.parts, asyncio.Event()))
            headers = {"Authorization": f"Bearer {token}"}
            made = httpx.AsyncClient(transport=transport, base_url=URL, headers=headers)
            self.clients[token] = made
        return self.clients[token]

    @property
    def octo(self) -> httpx.AsyncClient:
        return self.client(self.tokens["octo"])

    async def create(self, prompt: str, **more: object) -> dict[str, Any]:
        response = await self.octo.post(TASKS, json={"prompt": prompt, **more})
        assert response.status_code == 201, response.text
        made: dict[str, Any] = response.json()
        return made

    async def wait(self, task_id: str, *states: str) -> dict[str, Any]:
        """The task with its sessions, once it is in one of *states*, or has ended."""
        deadline = time.monotonic() + 60
        while True:
            found: dict[str, Any] = (await self.octo.get(f"{TASKS}/{task_id}")).json()
            if found["state"] in (states or ENDED):
                return found
            assert time.monotonic() < deadline, found
            await asyncio.sleep(0.1)


@pytest.fixture
async def github(tmp_path: Path, github_description: Description) -> AsyncIterator[GitHub]:
    async with serving(github_description, tmp_path / "github") as server:
        yield server
        assert not server.problems, server.problems


@pytest.fixture
def settings() -> dict[str, str]:
    """More of them."""
    return {}


@pytest.fixture
async def service(
    github: GitHub, data: Path, tmp_path: Path, settings: dict[str, str]
) -> AsyncIterator[Service]:
    """Without a worker."""
    state = github.state
    for login in ("octo", "bob", "mallory"):
        state.add_user(login)
    source = repository(tmp_path / "source")
    git(source, "checkout", "-q", "topic")
    commit(source, "topic.txt", "1\n")
    known = state.add_repository("octo/app", source)
    known.roles[state.user("bob").id] = "write"
    tokens = {login: state.add_token(login) for login in ("octo", "bob", "mallory")}
    config = configured(data, **{"forge.url": github.url, "forge.kind": "github", **settings})
    async with app.parts(config, URL) as parts:
        made = Service(parts, github, known, tokens)
        yield made
        for client in made.clients.values():
            await client.aclose()


@pytest.fixture
async def working(service: Service) -> AsyncIterator[Service]:
    """With a worker."""
    async with app.working(service.parts, URL):
        yield service


@pytest.fixture
async def site(service: Service, clock: Clock) -> AsyncIterator[Site]:
    """Told of by webhooks that the test sends; repaired once. Its time begins as the world's."""
    clock.now = utc_now()
    state = service.github.state
    machine = state.add_user("helper")
    service.repository.roles[machine.id] = "write"
    rules = Rules("helper", label="agent", repairs=1)
    made = Site(service, clock, machine, state.add_token("helper"), rules)
    yield made
    await made.client.aclose()
