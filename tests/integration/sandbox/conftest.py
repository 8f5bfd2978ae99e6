"""A sandbox on bubblewrap for the tests that try to break out of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from journeyman.sandbox import Limits, Sandbox, SandboxBackend, SandboxSpec
from journeyman.sandbox.bubblewrap import Bubblewrap
from tests.integration.sandbox.requirement import require

LIMITS = Limits(memory_bytes=512 << 20, cpus=1.0, pids=100, open_files=256)


@pytest.fixture(scope="module")
def made() -> SandboxBackend:
    return Bubblewrap()


@pytest.fixture
async def backend(made: SandboxBackend) -> SandboxBackend:
    return await require(made)


@pytest.fixture
async def box(backend: SandboxBackend, tmp_path: Path) -> AsyncIterator[Sandbox]:
    mirror = tmp_path / "mirror.git"
    mirror.mkdir()
    spec = SandboxSpec("escape", tmp_path / "session", mirror=mirror, limits=LIMITS)
    sandbox = await backend.start(spec)
    yield sandbox
    await sandbox.close()
    await backend.remove(spec.directory)
