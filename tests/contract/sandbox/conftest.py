"""Every sandbox there is, in turn, for what all of them do alike."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from journeyman.sandbox import Sandbox, SandboxBackend, SandboxSpec
from journeyman.sandbox.bubblewrap import Bubblewrap
from journeyman.sandbox.container.backend import Containers, Options
from tests.integration.sandbox.requirement import require


@pytest.fixture(
    params=[
        "bubblewrap",
        pytest.param("docker", marks=pytest.mark.containers),
        pytest.param("podman", marks=pytest.mark.containers),
    ],
    scope="module",
)
def made(request: pytest.FixtureRequest) -> SandboxBackend:
    if request.param == "bubblewrap":
        return Bubblewrap()
    path: Path = request.getfixturevalue(request.param)
    return Containers(Options(engine=request.param, socket=str(path)))


@pytest.fixture
async def backend(made: SandboxBackend) -> SandboxBackend:
    return await require(made)


@pytest.fixture
async def box(backend: SandboxBackend, tmp_path: Path) -> AsyncIterator[Sandbox]:
    spec = SandboxSpec("contract", tmp_path / "session", env={"GREETING": "hello"})
    sandbox = await backend.start(spec)
    yield sandbox
    await sandbox.close()
    await backend.remove(spec.directory)
    assert not spec.directory.exists()
