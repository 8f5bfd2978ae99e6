"""A sandbox for each test of a tool, with an empty workspace."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from journeyman.sandbox import SandboxSpec
from journeyman.sandbox.bubblewrap import Bubblewrap
from tests.integration.sandbox.requirement import require
from tests.unit.agent.tools.bench import Bench


@pytest.fixture(scope="session")
def bubblewrap() -> Bubblewrap:
    """One for all: what it finds out about the host takes a while."""
    return Bubblewrap()


@pytest.fixture
async def bench(bubblewrap: Bubblewrap, tmp_path: Path) -> AsyncIterator[Bench]:
    backend = await require(bubblewrap)
    spec = SandboxSpec("tools", tmp_path / "session")
    box = await backend.start(spec)
    bench = Bench(box)
    yield bench
    await bench.jobs.close()
    await box.close()
    await backend.remove(spec.directory)
