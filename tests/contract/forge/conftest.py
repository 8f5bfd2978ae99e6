"""The suite's world, once for each implementation; and those of which more is asked."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.contract.forge.worlds import (
    NEEDS,
    WORLDS,
    Embedded,
    OnGitea,
    OnGitHub,
    World,
    embedded,
    on_gitea,
    on_github,
)
from tests.peers.gitea.description import Description as GiteaDescription
from tests.peers.github.description import Description


@pytest.fixture(params=[pytest.param(name, marks=NEEDS.get(name, ())) for name in WORLDS])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    async with WORLDS[request.param](tmp_path, request) as made:
        yield made


@pytest.fixture(name="embedded")
async def an_embedded(tmp_path: Path) -> AsyncIterator[Embedded]:
    async with embedded(tmp_path) as made:
        assert isinstance(made, Embedded)
        yield made


@pytest.fixture
async def github(tmp_path: Path, github_description: Description) -> AsyncIterator[OnGitHub]:
    async with on_github(tmp_path, github_description) as made:
        yield made


@pytest.fixture(params=["gitea", "forgejo"])
async def gitea(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[OnGitea]:
    description: GiteaDescription = request.getfixturevalue(f"{request.param}_description")
    async with on_gitea(tmp_path, description) as made:
        yield made
