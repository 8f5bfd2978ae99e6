"""What is left on the host when a sandbox, its start or its service ends in a bad way."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

from journeyman.sandbox import (
    SandboxBackend,
    SandboxLost,
    SandboxSpec,
    SandboxUnavailable,
    cgroup,
)
from journeyman.sandbox.bubblewrap import Bubblewrap, Options
from tests.integration.sandbox.requirement import require_root

pytestmark = pytest.mark.sandbox

SERVICE = Path(__file__).with_name("service.py")


def processes(text: str) -> list[int]:
    """Every process of the host whose command line has *text*."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                if text.encode() in (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


def groups(owner: int) -> list[Path]:
    """The control groups that service *owner* has made."""
    places = cgroup.find()
    bases = [base for base in (places.unified, *places.classic.values()) if base is not None]
    return [path for base in bases for path in base.glob(f"{cgroup.PREFIX}{owner}-*")]


@pytest.fixture
async def service(
    tmp_path: Path, backend: SandboxBackend
) -> AsyncIterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [sys.executable, str(SERVICE), str(tmp_path / "data")], stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    with process.stdout as lines:
        assert [lines.readline(), lines.readline()] == [b"one\n", b"two\n"]
        yield process
    process.kill()
    process.wait()
    await backend.sweep()
    assert groups(process.pid) == []


async def test_a_killed_service_leaves_no_process_and_its_groups_are_swept(
    service: subprocess.Popen[bytes], backend: SandboxBackend
) -> None:
    assert len(processes("sleep\x004242")) == 4
    service.kill()
    service.wait()
    for _ in range(100):
        if not processes("sleep\x004242"):
            break
        await asyncio.sleep(0.01)
    assert processes("sleep\x004242") == []
    await backend.sweep()
    assert groups(service.pid) == []


async def test_a_sweep_spares_services_that_live(
    service: subprocess.Popen[bytes], backend: SandboxBackend
) -> None:
    before = groups(service.pid)
    await backend.sweep()
    assert groups(service.pid) == before
    assert len(processes("sleep\x004242")) == 4


async def test_a_sandbox_killed_from_outside_is_lost(
    backend: SandboxBackend, tmp_path: Path
) -> None:
    box = await backend.start(SandboxSpec("victim", tmp_path / "s"))
    running = asyncio.create_task(box.exec("exec sleep 4343"))
    await box.exec("until pgrep sleep; do sleep 0.01; done")
    found = processes("sleep\x004343")
    parent = Path(f"/proc/{found[0]}/stat").read_text().rpartition(")")[2].split()[1]
    os.kill(int(parent), signal.SIGKILL)
    with pytest.raises(SandboxLost):
        await running
    with pytest.raises(SandboxLost):
        await box.exec("true")
    await box.close()
    assert processes("sleep\x004343") == []


async def test_nothing_is_left_after_many_sessions(backend: SandboxBackend, tmp_path: Path) -> None:
    await backend.probe()
    descriptors, mounts = os.listdir("/proc/self/fd"), Path("/proc/self/mounts").read_text()
    for number in range(8):
        spec = SandboxSpec(f"s{number}", tmp_path / f"s{number}")
        box = await backend.start(spec)
        await box.exec("sleep 4444 & echo x > file", stdin=b"data")
        await box.close()
        await backend.remove(spec.directory)
    assert os.listdir("/proc/self/fd") == descriptors
    assert Path("/proc/self/mounts").read_text() == mounts
    assert processes("sleep\x004444") == []
    assert groups(os.getpid()) == []
    assert list(tmp_path.iterdir()) == []


async def test_a_start_that_fails_says_why_and_leaves_nothing(
    backend: SandboxBackend, tmp_path: Path
) -> None:
    descriptors = os.listdir("/proc/self/fd")
    spec = SandboxSpec("failing", tmp_path / "s", mirror=tmp_path / "missing.git")
    with pytest.raises(SandboxUnavailable, match=r"missing\.git"):
        await backend.start(spec)
    assert os.listdir("/proc/self/fd") == descriptors
    assert groups(os.getpid()) == []


async def test_a_file_in_a_wrong_place_is_refused(backend: SandboxBackend, tmp_path: Path) -> None:
    for path in ("/usr/bin/git", "/etc", "/etc/../usr/x", "relative"):
        with pytest.raises(SandboxUnavailable, match="/etc or /run"):
            await backend.start(SandboxSpec("files", tmp_path / "s", files={path: b""}))


async def test_a_cancelled_start_leaves_nothing(backend: SandboxBackend, tmp_path: Path) -> None:
    await backend.probe()
    descriptors = os.listdir("/proc/self/fd")
    for delay in (0.0, 0.005, 0.02, 0.03, 0.04):
        starting = asyncio.create_task(backend.start(SandboxSpec("cancelled", tmp_path / "s")))
        await asyncio.sleep(delay)
        starting.cancel()
        with suppress(asyncio.CancelledError):
            # A quick machine may have started it before.
            await (await starting).close()
        assert os.listdir("/proc/self/fd") == descriptors
        assert groups(os.getpid()) == []


async def test_a_service_may_have_its_loop_in_another_thread(tmp_path: Path) -> None:
    async def session() -> bytes:
        backend = Bubblewrap()
        box = await backend.start(SandboxSpec("thread", tmp_path / "s"))
        output = (await box.exec("sleep 0.2; echo fine")).output
        await box.close()
        await backend.remove(tmp_path / "s")
        return output

    assert await asyncio.to_thread(lambda: asyncio.run(session())) == b"fine\n"


async def test_without_bubblewrap_the_hint_says_what_to_install(tmp_path: Path) -> None:
    backend = Bubblewrap(Options(bwrap="no-such-bwrap"))
    probe = await backend.probe()
    assert not probe.available
    assert "install bubblewrap" in probe.hint
    with pytest.raises(SandboxUnavailable) as refused:
        await backend.start(SandboxSpec("none", tmp_path / "s"))
    assert "install bubblewrap" in refused.value.hint


async def test_a_bubblewrap_that_fails_is_not_available(tmp_path: Path) -> None:
    broken = tmp_path / "bwrap"
    broken.write_text(
        "#!/bin/sh\necho 'bwrap: setting up uid map: Permission denied' >&2; exit 1\n"
    )
    broken.chmod(0o755)
    tmp_path.chmod(0o755)
    probe = await Bubblewrap(Options(bwrap=str(broken))).probe()
    assert not probe.available
    assert "user namespaces" in probe.hint or "Permission denied" in probe.hint


@pytest.mark.root
async def test_as_root_a_parent_that_nobody_may_enter_is_no_obstacle(
    backend: SandboxBackend, tmp_path: Path
) -> None:
    require_root()
    closed = tmp_path / "closed"
    mirror = closed / "mirror.git"
    mirror.mkdir(parents=True)
    (mirror / "HEAD").write_text("ref")
    closed.chmod(0o700)
    box = await backend.start(SandboxSpec("closed", closed / "session", mirror=mirror))
    try:
        result = await box.exec("cat /mirror.git/HEAD; touch file; stat -c %u file; sleep 4646 &")
        assert result.output == b"ref1000\n"
        (found,) = processes("sleep\x004646")
        assert Path("/proc", str(found)).stat().st_uid == Options().uid
    finally:
        await box.close()


async def test_every_line_of_doctor_holds_or_says_how_to_mend_it(backend: SandboxBackend) -> None:
    probe = await backend.probe()
    facts = {guarantee.name: guarantee for guarantee in probe.guarantees}
    assert facts["system call filter"].holds
    assert facts["unprivileged"].holds
    for name in ("memory limit", "pids limit", "cpu limit"):
        assert facts[name].holds or facts[name].mend


async def test_folders_of_killed_probes_are_swept(backend: SandboxBackend) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    temporary = Path(tempfile.gettempdir())
    old = temporary / f"journeyman-probe-{ended.pid}-x"
    live = temporary / f"journeyman-probe-{os.getpid()}-x"
    for folder in (old, live):
        (folder / "work").mkdir(parents=True)
    try:
        await backend.sweep()
        assert not old.exists()
        assert live.exists()
    finally:
        await backend.remove(live)


@pytest.mark.root
async def test_what_fails_for_a_passing_reason_is_tried_again() -> None:
    require_root()
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        os.chmod(folder, 0o755)
        passing, passed = Path(folder, "bwrap"), Path(folder, "passed")
        passing.write_text(
            f'#!/bin/sh\n[ "$1" = --version ] || [ -e {passed} ] || exit 1\nexec bwrap "$@"\n'
        )
        passing.chmod(0o755)
        backend = Bubblewrap(Options(bwrap=str(passing), try_again_seconds=0.0))
        assert not (await backend.probe()).available
        passed.touch()
        probe = await backend.probe()
        assert (probe.available, probe.mode) == (True, "as root")
