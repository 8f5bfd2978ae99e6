"""The whole application on a real store and a real forge; every response is validated.

The data directory is filled once and copied for each test.
"""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from starlette.types import ASGIApp

from journeyman import app, config
from journeyman.administering import operating
from journeyman.api import routes
from journeyman.api.ratelimit import Limits, RateOptions
from journeyman.api.routes import Options
from journeyman.domain.repositories import Permission
from journeyman.forge.embedded import tokens
from journeyman.forge.embedded.forge import EmbeddedForge
from journeyman.service import Services
from journeyman.service.administration import Administration
from journeyman.service.deliveries import Deliveries
from journeyman.service.ledger import Ledger
from tests.contract.openapi import validator

HOST = "http://forge.test"
TASKS = "/agents/repos/octo/hello/tasks"
USERS = ("root", "alice", "bob", "mallory")
"""An administrator, one who may write, one who may read, one who may neither."""


async def validate(response: httpx.Response) -> None:
    """A response hook. A request says with `extensions={"also": {500}}` what it provokes."""
    await response.aread()
    request = response.request
    also = request.extensions.get("also", ())
    validator.check(request.method, request.url.raw_path.decode(), response, also=also)


@dataclass
class World:
    """One server's data, and clients for it."""

    services: Services
    ledger: Ledger
    deliveries: Deliveries
    administration: Administration
    tokens: dict[str, str]
    data: Path
    forge: EmbeddedForge
    clients: list[httpx.AsyncClient] = field(default_factory=list)

    def application(self, options: Options | None = None, **more: object) -> ASGIApp:
        unlimited = Limits(RateOptions(anonymous_per_hour=0, writes_per_minute=0))
        return routes.build_app(self.services, options, **{"limits": unlimited, **more})  # type: ignore[arg-type]

    def client(
        self, user: str | None = "alice", *, of: ASGIApp | None = None, base: str = HOST
    ) -> httpx.AsyncClient:
        """A client with the token of *user*."""
        headers = {"Authorization": f"token {self.tokens[user]}"} if user else {}
        transport = httpx.ASGITransport(of or self.application())
        client = httpx.AsyncClient(
            transport=transport,
            base_url=base,
            headers=headers,
            event_hooks={"response": [validate]},
        )
        self.clients.append(client)
        return client


@dataclass(frozen=True)
class Filled:
    data: Path
    tokens: dict[str, str]


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Filled:
    root = tmp_path_factory.mktemp("filled")
    return Filled(root / "data", asyncio.run(fill(root)))


async def fill(root: Path) -> dict[str, str]:
    source = make_repository(root / "source")
    async with operating(configuration(root / "data")) as operator:
        made = {user: (await operator.administration.create_token(user))[0] for user in USERS}
        for name in ("octo/hello", "octo/other"):
            await operator.administration.add_repository(name, str(source))
        for user, permission in (("alice", Permission.WRITE), ("bob", Permission.READ)):
            await operator.administration.grant("octo/hello", user, permission)
    return made


def configuration(data: Path) -> config.Config:
    return config.load(flags={"data": str(data)}, environ={})


def make_repository(path: Path) -> Path:
    """One commit on `main`, and a branch `fix`."""
    path.mkdir()
    identity = ("-c", "user.name=Octo", "-c", "user.email=octo@forge.test")
    for command in (
        ("init", "--quiet", "--initial-branch=main"),
        (*identity, "commit", "--quiet", "--allow-empty", "--message=Begin"),
        ("branch", "fix"),
    ):
        subprocess.run(["git", *command], cwd=path, check=True, env={"HOME": str(path)})
    return path


@pytest.fixture
async def world(filled: Filled, tmp_path: Path) -> AsyncIterator[World]:
    shutil.copytree(filled.data, tmp_path / "data")
    async with app.parts(configuration(tmp_path / "data")) as parts:
        made = World(
            parts.services,
            Ledger(parts.database, parts.live, parts.changes),
            parts.deliveries,
            Administration(parts.database, parts.embedded, tokens),
            dict(filled.tokens),
            tmp_path / "data",
            parts.embedded,
        )
        yield made
        for client in made.clients:
            await client.aclose()


@pytest.fixture
def alice(world: World) -> httpx.AsyncClient:
    """May write to octo/hello."""
    return world.client("alice")


@pytest.fixture
def bob(world: World) -> httpx.AsyncClient:
    """May read octo/hello."""
    return world.client("bob")


@pytest.fixture
def mallory(world: World) -> httpx.AsyncClient:
    """May see nothing."""
    return world.client("mallory")


@pytest.fixture
def anonymous(world: World) -> httpx.AsyncClient:
    return world.client(None)


async def create(client: httpx.AsyncClient, prompt: str = "Fix it", **more: object) -> str:
    """The id of a new task of octo/hello."""
    response = await client.post(TASKS, json={"prompt": prompt, **more})
    assert response.status_code == 201, response.text
    return str(response.json()["id"])
