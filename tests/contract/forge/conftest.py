"""The suite's world, once for each implementation."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.contract.forge.worlds import WORLDS, Embedded, World


@pytest.fixture(params=WORLDS)
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    async with WORLDS[request.param](tmp_path) as made:
        yield made


@pytest.fixture
async def embedded(tmp_path: Path) -> AsyncIterator[Embedded]:
    async with WORLDS["embedded"](tmp_path) as made:
        assert isinstance(made, Embedded)
        yield made
