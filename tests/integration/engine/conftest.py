"""A machine with a worker for the tests that step one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.conftest import World
from tests.integration.engine.machine import Machine


@pytest.fixture
async def machine(world: World, tmp_path: Path) -> AsyncIterator[Machine]:
    made = Machine(world, tmp_path / "machine")
    made.worker.start()
    yield made
    await made.worker.stop()
    await made.equipment.bases.close()
