"""What package managers keep between a repository's sessions, with an index on this machine."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import pytest

from journeyman.sandbox import Network, Sandbox, SandboxSpec, caches
from journeyman.sandbox.bubblewrap import Bubblewrap
from journeyman.sandbox.caches import Caches, Options
from journeyman.sandbox.disk import Disk
from tests.integration.sandbox.requirement import require
from tests.peers.packages import TARBALL, WHEEL, Index, serving

pytestmark = pytest.mark.sandbox

HOST = "index.test"


async def here(host: str, port: int) -> Sequence[str]:
    return ["127.0.0.1"]


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    folder = tmp_path / "index"
    folder.mkdir()
    with serving(folder, HOST) as index:
        yield index


@pytest.fixture
async def backend() -> Bubblewrap:
    backend = Bubblewrap(resolve=here)
    await require(backend)
    return backend


@pytest.fixture
async def kept(tmp_path: Path, backend: Bubblewrap) -> AsyncIterator[Caches]:
    yield Caches(tmp_path / "caches", Options(True, 8 << 20), remove=backend.remove)
    await backend.remove(tmp_path / "caches")


async def run(
    backend: Bubblewrap, directory: Path, cache: Path, command: str, port: int = 1
) -> bytes:
    """What *command* prints in a session of its own, which must succeed."""
    network = Network((f"{HOST}:{port}",), ("127.0.0.0/8",))
    spec = SandboxSpec(
        directory.name, directory, network=network, env=caches.ENVIRONMENT, cache=cache
    )
    box: Sandbox = await backend.start(spec)
    try:
        result = await box.exec(command, timeout_seconds=60)
        assert result.exit_code == 0, result.output
        return result.output
    finally:
        await box.close()
        await backend.remove(directory)


@pytest.mark.parametrize(
    ("tool", "command", "package"),
    [
        (
            "python3 -m pip",
            "python3 -m pip install -q --target /tmp/x --index-url http://{address}/simple"
            " --trusted-host index.test tiny-thing && ls /tmp/x",
            WHEEL,
        ),
        (
            "npm",
            "cd /tmp && npm install --silent --registry http://{address}/ tiny-thing"
            " && ls node_modules",
            TARBALL,
        ),
    ],
    ids=["pip", "npm"],
)
async def test_what_one_session_fetched_the_next_does_not(
    backend: Bubblewrap, kept: Caches, index: Index, tmp_path: Path,
    tool: str, command: str, package: str,
) -> None:  # fmt: skip
    mine, other = await kept.folder(1), await kept.folder(2)
    if await run(backend, tmp_path / "s0", other, f"{tool} --version || echo none") == b"none\n":
        pytest.skip(f"{tool} is not installed")
    command = command.format(address=f"{HOST}:{index.port}")
    fetched = []
    for number, cache in enumerate((mine, mine, other)):
        output = await run(backend, tmp_path / f"s{number}", cache, command, index.port)
        assert b"tiny" in output
        fetched.append(sum(package in path for path in index.asked))
    assert fetched == [1, 1, 2]


async def test_only_what_fits_and_is_used_stays(
    backend: Bubblewrap, kept: Caches, tmp_path: Path
) -> None:
    first = await kept.folder(1)
    await run(backend, tmp_path / "s", first, "echo small > ~/.cache/x")
    assert await kept.folder(1) == first
    assert await run(backend, tmp_path / "s", first, "cat ~/.cache/x") == b"small\n"
    await run(backend, tmp_path / "s", first, "head -c 9M /dev/zero > ~/.cache/big")
    assert await run(backend, tmp_path / "s", await kept.folder(1), "ls ~/.cache") == b""
    (leaving,) = [path for path in first.parent.iterdir() if path != first]
    await kept.sweep()
    assert leaving.exists()  # a session may still use it
    leaving.rename(leaving.with_name(f"{caches.LEAVING}1-1"))
    await kept.sweep()
    assert list(first.parent.iterdir()) == [first]
    os.utime(first, (0, 0))
    await kept.sweep(unused_since=1.0)
    assert not first.exists()


async def test_what_it_holds_counts_as_the_sessions(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_bytes(b"x" * (600 << 10))
    disk = Disk((tmp_path / "one", tmp_path / "two"), 1 << 20)
    await disk.measure()
    assert disk.over
    (tmp_path / "two" / "file").unlink()
    await disk.measure()
    assert not disk.over
