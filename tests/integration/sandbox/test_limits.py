"""What happens to a sandbox that wants too much: it is contained, and serves on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from journeyman.sandbox import (
    FileRefused,
    Limits,
    Sandbox,
    SandboxBackend,
    SandboxSpec,
    loop_device,
)
from journeyman.sandbox.bubblewrap import Bubblewrap, Options
from tests.integration.sandbox.conftest import LIMITS
from tests.integration.sandbox.requirement import require, require_root

pytestmark = pytest.mark.sandbox

HOG = "b = bytearray({size}); b[::4096] = b'x' * len(b[::4096]); print('had it')"
HIDDEN_HOG = """
import os
d = os.memfd_create('x')
for _ in range(900):
    os.write(d, b'x' * (1 << 20))
print('had it')
"""


async def alive(box: Sandbox) -> None:
    """The sandbox answers, after being cleared when it must be."""
    for _ in range(5):
        result = await box.exec("echo alive", timeout_seconds=10)
        if result.output == b"alive\n":
            return
        await box.kill_all()
    pytest.fail(f"the sandbox does not answer: {result}")


async def test_memory_is_limited(box: Sandbox) -> None:
    result = await box.exec(["python3", "-c", HOG.format(size=900 << 20)], timeout_seconds=60)
    assert result.exit_code != 0
    assert b"had it" not in result.output
    await alive(box)


async def test_what_fits_is_given(box: Sandbox) -> None:
    result = await box.exec(["python3", "-c", HOG.format(size=200 << 20)], timeout_seconds=60)
    assert result.output == b"had it\n"


async def test_memory_that_belongs_to_no_process_is_limited(box: Sandbox) -> None:
    if not box.enforced["memory"].startswith("cgroup"):
        assert box.enforced["memory"] == "watched"
        return
    result = await box.exec(["python3", "-c", HIDDEN_HOG], timeout_seconds=60)
    assert b"had it" not in result.output
    await alive(box)


async def test_memory_of_many_processes_is_limited_together(box: Sandbox) -> None:
    hog = HOG.format(size=200 << 20) + "; import time; time.sleep(3)"
    results = await asyncio.gather(
        *(box.exec(["python3", "-c", hog], timeout_seconds=60) for _ in range(4))
    )
    assert any(result.exit_code == 137 for result in results)
    assert any(result.exit_code == 0 for result in results)
    await alive(box)


async def test_commands_die_of_hunger_before_process_1(box: Sandbox) -> None:
    result = await box.exec("sleep 0.3; cat /proc/self/oom_score_adj /proc/1/oom_score_adj")
    assert result.output == b"1000\n0\n"


async def test_shared_memory_is_small(box: Sandbox) -> None:
    result = await box.exec("head -c 100M /dev/zero > /dev/shm/x; stat -c %s /dev/shm/x")
    assert int(result.output.split()[-1]) <= 64 << 20


async def test_a_fork_bomb_is_contained_and_cleared(
    box: Sandbox, backend: SandboxBackend, tmp_path: Path
) -> None:
    other = await backend.start(SandboxSpec("beside", tmp_path / "beside"))
    try:
        bomb = asyncio.create_task(box.exec("b() { b | b & }; b; sleep 100", timeout_seconds=3))
        await asyncio.sleep(1)
        began = time.monotonic()
        assert (await other.exec("echo fine", timeout_seconds=10)).output == b"fine\n"
        assert time.monotonic() - began < 5
        await bomb
        await box.kill_all()
        await alive(box)
    finally:
        await other.close()


async def test_descriptors_are_limited(box: Sandbox) -> None:
    code = "import os\nwhile True: os.dup(0)"
    result = await box.exec(["python3", "-c", code])
    assert b"Too many open files" in result.output
    assert (await box.exec("ulimit -n; ulimit -c")).output == f"{LIMITS.open_files}\n0\n".encode()


async def test_a_flood_of_output_is_bounded_and_the_service_stays_awake(box: Sandbox) -> None:
    flood = asyncio.create_task(box.exec("head -c 3G /dev/zero", limit_bytes=1 << 16))
    longest, before = 0.0, time.monotonic()
    while not flood.done():
        await asyncio.sleep(0.005)
        longest = max(longest, time.monotonic() - before)
        before = time.monotonic()
    assert len((await flood).output) == 1 << 16
    assert longest < 0.5


async def test_past_its_disk_a_session_may_only_delete(tmp_path: Path) -> None:
    backend = await require(Bubblewrap(Options(disk_poll_seconds=0.1, own_disks=False)))
    limits = Limits(disk_bytes=20 << 20)
    box = await backend.start(SandboxSpec("disk", tmp_path / "s", limits=limits))
    try:
        filling = await box.exec(
            "echo small > kept; while sleep 0.02; do head -c 1M /dev/zero >> ~/big; done",
            timeout_seconds=30,
        )
        assert filling.exit_code == 137
        assert not filling.timed_out
        refused = await box.exec("echo more >> kept; cat kept")
        assert b"deleted but not written" in refused.output
        assert refused.output.endswith(b"small\n")
        with pytest.raises(FileRefused, match="deleted but not written"):
            await box.write("kept", b"more")
        assert (await box.exec("rm ~/big")).exit_code == 0
        assert (await box.exec("echo more >> kept; cat kept")).output == b"small\nmore\n"
        await box.write("kept", b"rewritten")
    finally:
        await box.close()


@pytest.mark.root
class TestOwnDisk:
    @pytest.fixture
    async def small(self, backend: SandboxBackend, tmp_path: Path) -> AsyncIterator[Sandbox]:
        require_root()
        spec = SandboxSpec("disk", tmp_path / "s", limits=Limits(disk_bytes=32 << 20))
        box = await backend.start(spec)
        assert box.enforced["disk"] == "file system"
        yield box
        await box.close()
        await backend.remove(spec.directory)

    async def test_no_byte_passes_it(self, small: Sandbox) -> None:
        result = await small.exec("head -c 100M /dev/zero > ~/big; echo still; rm ~/big")
        assert b"No space left on device" in result.output
        assert b"still" in result.output
        assert (await small.exec("echo more > file && cat file")).output == b"more\n"

    async def test_nor_does_a_file_too_many(self, small: Sandbox) -> None:
        code = "i = 0\nwhile True:\n    open(f'/tmp/{i}', 'x').close()\n    i += 1"
        result = await small.exec(["python3", "-c", code], timeout_seconds=60)
        assert b"No space left on device" in result.output
        assert (await small.exec("rm -rf /tmp/*; touch file")).exit_code == 0

    async def test_nothing_of_it_is_left_mounted(
        self, backend: SandboxBackend, tmp_path: Path
    ) -> None:
        require_root()
        spec = SandboxSpec("again", tmp_path / "s", limits=Limits(disk_bytes=32 << 20))
        for expected in (b"", b"kept"):
            box = await backend.start(spec)
            found = await box.exec("cat file 2>/dev/null; printf kept > file")
            assert found.output == expected
            await box.close()
        for _ in range(100):
            attached = [path.read_text() for path in Path("/sys/block").glob("loop*/loop/*file")]
            if not any(str(tmp_path) in text for text in attached):
                break
            await asyncio.sleep(0.02)
        else:
            pytest.fail(f"still attached: {attached}")
        assert str(tmp_path) not in Path("/proc/self/mounts").read_text()
        await backend.remove(spec.directory)
        assert not spec.directory.exists()


@pytest.mark.root
def test_a_disk_is_one_device_however_often_it_is_wanted(tmp_path: Path) -> None:
    require_root()
    file = tmp_path / "disk"
    with file.open("wb") as made:
        made.truncate(1 << 20)
    with loop_device.attached(file) as one, loop_device.attached(file) as two:
        assert one == two
        backing = Path("/sys/block", one.name, "loop/backing_file")
        assert backing.read_text() == f"{file}\n"
    for _ in range(200):
        if not backing.exists() or backing.read_text() != f"{file}\n":
            return
        time.sleep(0.01)
    pytest.fail("still attached")


async def test_a_processor_share_is_enforced(box: Sandbox) -> None:
    if not box.enforced["cpu"].startswith("cgroup"):
        assert box.enforced["cpu"] == "nothing"
        return
    code = "import time\nend = time.time() + 1\nwhile time.time() < end: pass\n"
    code += "print(time.process_time())"
    results = await asyncio.gather(*(box.exec(["python3", "-c", code]) for _ in range(3)))
    assert sum(float(result.output) for result in results) < 2.0
