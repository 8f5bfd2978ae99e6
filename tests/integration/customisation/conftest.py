"""A sandbox with nothing in it, for tests that need no other."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from journeyman.sandbox import Sandbox, SandboxSpec
from journeyman.sandbox.bubblewrap import Bubblewrap
from tests.integration.sandbox.requirement import require


@pytest.fixture
async def box(tmp_path: Path) -> AsyncIterator[Sandbox]:
    backend = await require(Bubblewrap())
    spec = SandboxSpec("customisation", tmp_path / "session")
    box = await backend.start(spec)
    yield box
    await box.close()
    await backend.remove(spec.directory)
