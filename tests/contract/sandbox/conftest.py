"""Every sandbox there is, in turn, for what all of them do alike."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from journeyman.sandbox import Sandbox, SandboxBackend, SandboxSpec
from journeyman.sandbox.bubblewrap import Bubblewrap
from journeyman.sandbox.container.backend import Containers, Options
from tests.integration.sandbox.requirement import require

EMPTY = """
chmod -R u+rwx /workspace /home/agent
find /workspace /home/agent /tmp /dev/shm -mindepth 1 -delete
find /workspace /home/agent /tmp /dev/shm -mindepth 1
"""


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


@pytest_asyncio.fixture(loop_scope="module")
async def backend(made: SandboxBackend) -> SandboxBackend:
    return await require(made)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(
    made: SandboxBackend, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Sandbox]:
    """One for all tests of a module, since engines are slow to start them."""
    backend = await require(made)
    directory = tmp_path_factory.mktemp("contract") / "session"
    sandbox = await backend.start(SandboxSpec("contract", directory, env={"GREETING": "hello"}))
    yield sandbox
    await sandbox.close()
    await backend.remove(directory)
    assert not directory.exists()


@pytest_asyncio.fixture(loop_scope="module")
async def box(shared: Sandbox) -> AsyncIterator[Sandbox]:
    """The shared one, as it began."""
    yield shared
    await shared.kill_all()
    assert (await shared.exec(EMPTY, cwd="/")).output == b""
