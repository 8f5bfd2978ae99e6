"""A place with a repository, a secret and a task, and empty ones to bring it back to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from journeyman.config import Config
from journeyman.domain.secrets import Kind, Sharing
from journeyman.domain.tasks import NewTask, Task
from journeyman.operations.backup import Place
from journeyman.store.database import sqlite_url
from tests import postgres
from tests.conftest import World, configured

EACH_TARGET = pytest.mark.parametrize(
    "target", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)], indirect=True
)


@dataclass(frozen=True)
class Kept:
    world: World
    place: Place
    task: Task


def place_of(config: Config) -> Place:
    return Place("1.2.3", config.database.url, config.data)


@pytest.fixture
async def kept(world: World) -> Kept:
    services = world.parts.services
    alice, access = await world.principal("alice"), await world.access("alice")
    task = await services.tasks.create(alice, access, NewTask("Do it — “now” 🙂"))
    where = services.secrets.place(access, Kind.VARIABLE)
    await services.secrets.add_variable(where, "COLOUR", "green", Sharing())
    return Kept(world, place_of(world.parts.config), task)


@pytest.fixture
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Config:
    """An empty data directory, and a database that nobody has used."""
    data = tmp_path / "restored"
    data.mkdir()
    url = sqlite_url(data)
    if getattr(request, "param", "sqlite") == "postgresql":
        cluster: postgres.Cluster = request.getfixturevalue("cluster")
        url = cluster.fresh()
    return configured(data, **{"database.url": url})
