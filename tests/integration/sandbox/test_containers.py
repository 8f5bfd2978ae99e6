"""What is particular to containers of an engine, and what they promise as bubblewrap does."""

from __future__ import annotations

import asyncio
import errno
import io
import os
import re
import subprocess
import sys
import tarfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from journeyman.sandbox import (
    Limits,
    Network,
    Sandbox,
    SandboxBackend,
    SandboxLost,
    SandboxSpec,
    SandboxUnavailable,
    seccomp,
)
from journeyman.sandbox.container import image, recipe
from journeyman.sandbox.container.backend import Containers, Options
from journeyman.sandbox.container.engine import Engine
from tests import engines
from tests.integration.sandbox import test_escape as escape
from tests.integration.sandbox.requirement import require
from tests.integration.sandbox.test_leftovers import SERVICE, processes
from tests.integration.sandbox.test_limits import (  # noqa: F401 - collected here as well
    test_a_fork_bomb_is_contained_and_cleared,
    test_a_processor_share_is_enforced,
    test_commands_die_of_hunger_before_process_1,
    test_descriptors_are_limited,
    test_memory_is_limited,
    test_memory_that_belongs_to_no_process_is_limited,
)

pytestmark = pytest.mark.containers

PROGRAMS = ("bash", "cat", "id", "ls", "git")


@pytest.fixture(scope="module", params=["docker", "podman"])
def made(request: pytest.FixtureRequest) -> SandboxBackend:
    path: Path = request.getfixturevalue(request.param)
    return Containers(Options(engine=request.param, socket=str(path)))


@pytest.fixture
def options(made: SandboxBackend, request: pytest.FixtureRequest) -> Options:
    name: str = made.name
    path: Path = request.getfixturevalue(name)
    return Options(engine="podman" if name == "podman" else "docker", socket=str(path))


@pytest.fixture
def engine(options: Options) -> Engine:
    return Engine(options.engine, Path(options.socket))


class TestSecrets(escape.TestSecrets):
    pass


class TestNetwork(escape.TestNetwork):
    pass


class TestSystemCalls:
    @escape.ON_X86_64
    async def test_each_forbidden_one_is_refused(self, box: Sandbox) -> None:
        column, _ = seccomp.ARCHITECTURES["x86_64"]
        refused = dict.fromkeys(seccomp.REFUSED, errno.EPERM)
        expected = refused | dict.fromkeys(seccomp.ABSENT, errno.ENOSYS)
        expected |= {"clone": errno.EPERM, "ioctl": errno.EPERM, "ioctl64": errno.EPERM}
        tables = {**seccomp.REFUSED, **seccomp.ABSENT}
        calls = [
            *(f"{name} {numbers[column]} 0 0 0 0 0" for name, numbers in tables.items()),
            f"clone {seccomp.CLONE[column]} {escape.CLONE_NEW_USER} 0 0 0 0",
            f"ioctl {seccomp.IOCTL[column]} 0 {escape.TIOCSTI} 0",
            f"ioctl64 {seccomp.IOCTL[column]} 0 {1 << 32 | escape.TIOCSTI} 0",
        ]
        result = await box.exec(
            ["python3", "-", "\n".join(calls)],
            stdin=escape.ATTEMPTS.read_bytes(),
            timeout_seconds=30,
        )
        lines = [line.rsplit(" ", 1) for line in result.output.decode().splitlines()]
        found = {name: int(number) for name, number in lines}
        # An engine's libseccomp may be older than these; both want a capability that nobody has.
        for name in ("open_tree_attr", "listns"):
            assert found.pop(name) != 0
            del expected[name]
        assert {name: found.get(name) for name in expected} == expected
        families = {name for name in found if name.startswith("family") and not found[name]}
        assert families <= {"family1", "family2", "family10", "family16"}
        assert found["family40"] == errno.EAFNOSUPPORT
        assert found["ptrace"] == found["process_vm_readv"] == errno.EPERM
        assert result.exit_code == 128 + 31  # the 32-bit gate: SIGSYS

    async def test_no_capabilities_and_no_new_privileges(self, box: Sandbox) -> None:
        await escape.TestSystemCalls().test_no_capabilities_and_no_new_privileges(box)

    async def test_process_1_cannot_be_ended_from_inside(self, box: Sandbox) -> None:
        await escape.TestSystemCalls().test_process_1_cannot_be_ended_from_inside(box)


async def test_only_the_sessions_folders_are_writable(box: Sandbox) -> None:
    command = 'for d in /* /*/*; do touch "$d/probe" 2>/dev/null && echo "$d"; done'
    found = set((await escape.said(box, command)).split())
    assert found - {"/dev/mqueue", "/var/tmp"} == {
        *("/dev/shm", "/home/agent", "/tmp", "/workspace")
    }
    assert (await box.exec("echo x > /proc/sys/kernel/core_pattern")).exit_code != 0


async def test_pids_and_memory_are_the_engines(box: Sandbox) -> None:
    for limit in ("memory", "pids", "cpu"):
        assert re.fullmatch("cgroup v[12]", box.enforced[limit])


class TestImages:
    @pytest.fixture
    async def own(self, engine: Engine) -> str:
        """The name of an image with a system of its own, a PATH of its own, and no python."""
        name, archive = image.archive(_system(), {"PATH": "/tools:/usr/bin", "FLAVOUR": "plain"})
        await engine.load(archive)
        return name

    async def test_an_image_brings_its_own_system(
        self, options: Options, own: str, tmp_path: Path
    ) -> None:
        backend = Containers(Options(options.engine, options.socket, image=own))
        await require(backend)
        box = await backend.start(SandboxSpec("own", tmp_path / "s", network=Network()))
        try:
            result = await box.exec("ls /usr/bin; id -u; echo $FLAVOUR $PATH; cat /etc/passwd")
            lines = result.output.decode().splitlines()
            assert lines[: len(PROGRAMS)] == sorted(PROGRAMS)
            assert lines[len(PROGRAMS)] == str(options.uid)
            assert lines[len(PROGRAMS) + 1] == "plain /home/agent/.local/bin:/tools:/usr/bin"
            assert (await box.exec(["python3"])).exit_code == 127
            await box.write("file", b"content")
            assert (await box.exec("cat file")).output == b"content"
        finally:
            await box.close()

    async def test_a_session_may_name_another(
        self, backend: SandboxBackend, own: str, tmp_path: Path
    ) -> None:
        box = await backend.start(SandboxSpec("other", tmp_path / "s", image=own))
        try:
            assert (await box.exec("echo $FLAVOUR")).output == b"plain\n"
        finally:
            await box.close()

    async def test_one_that_is_not_there_is_named_with_the_way_out(
        self, backend: SandboxBackend, tmp_path: Path
    ) -> None:
        with pytest.raises(SandboxUnavailable, match=r"no image 'localhost/none:1'") as refused:
            await backend.start(SandboxSpec("none", tmp_path / "s", image="localhost/none:1"))
        assert refused.value.hint == f"{backend.name} pull localhost/none:1"

    async def test_one_in_which_process_1_cannot_run_is_told(
        self, backend: SandboxBackend, engine: Engine, tmp_path: Path
    ) -> None:
        name, archive = image.archive(b"\0" * 10240, {})
        await engine.load(archive)
        descriptors = os.listdir("/proc/self/fd")
        spec = SandboxSpec("bare", tmp_path / "s", image=name, limits=Limits(memory_bytes=1 << 20))
        with pytest.raises(SandboxUnavailable):
            await backend.start(spec)
        assert os.listdir("/proc/self/fd") == descriptors
        assert await engine.labelled(recipe.SESSION) == {}


class TestEnds:
    async def test_an_engine_that_is_gone_is_told(self, tmp_path: Path, made: Containers) -> None:
        options = Options("docker", str(tmp_path / "gone.sock"))
        backend = Containers(options)
        with pytest.raises(SandboxUnavailable, match=r"does not answer at .*gone\.sock") as refused:
            await backend.start(SandboxSpec("gone", tmp_path / "s"))
        assert "systemctl" in refused.value.hint
        probe = await backend.probe()
        assert not probe.available
        await backend.sweep()

    async def test_a_container_killed_from_outside_is_lost(
        self, backend: SandboxBackend, engine: Engine, tmp_path: Path
    ) -> None:
        box = await backend.start(SandboxSpec("victim", tmp_path / "s"))
        running = asyncio.create_task(box.exec("sleep 4545"))
        await asyncio.sleep(0.2)
        for container in await engine.labelled(recipe.SESSION):
            await engine.delete(container)
        with pytest.raises(SandboxLost):
            await running
        await box.close()
        assert processes("sleep\x004545") == []

    async def test_a_killed_services_containers_end_and_are_swept(
        self, backend: SandboxBackend, engine: Engine, options: Options, tmp_path: Path
    ) -> None:
        command = [sys.executable, str(SERVICE), str(tmp_path / "data")]
        service = subprocess.Popen(
            [*command, options.engine, options.socket], stdout=subprocess.PIPE
        )
        assert service.stdout is not None
        with service.stdout as lines:
            assert [lines.readline(), lines.readline()] == [b"one\n", b"two\n"]
            await backend.sweep()
            assert set((await engine.labelled(recipe.SESSION)).values()) == {"one", "two"}
        service.kill()
        service.wait()
        for _ in range(200):
            if not processes("sleep\x004242"):
                break
            await asyncio.sleep(0.02)
        assert processes("sleep\x004242") == []
        await backend.sweep()
        assert await engine.labelled(recipe.SESSION) == {}

    async def test_a_cancelled_start_leaves_nothing(
        self, backend: SandboxBackend, engine: Engine, tmp_path: Path
    ) -> None:
        descriptors = os.listdir("/proc/self/fd")
        for delay in (0.0, 0.02, 0.1, 0.2):
            starting = asyncio.create_task(backend.start(SandboxSpec("cancelled", tmp_path / "s")))
            await asyncio.sleep(delay)
            starting.cancel()
            await asyncio.wait([starting])
            if not starting.cancelled():
                await starting.result().close()
            assert await engine.labelled(recipe.SESSION) == {}
        assert os.listdir("/proc/self/fd") == descriptors


@pytest.fixture
async def alone(tmp_path: Path) -> AsyncIterator[Path]:
    """The socket of a Docker that a test may end."""
    with engines.running("docker") as path:
        if path is None:
            pytest.skip("docker is not installed, or needs root")
        yield path


async def test_a_session_ends_cleanly_after_its_engine(alone: Path, tmp_path: Path) -> None:
    backend = Containers(Options("docker", str(alone)))
    box = await backend.start(SandboxSpec("orphan", tmp_path / "s"))
    (daemon,) = [pid for pid in processes(f"unix://{alone}") if _name(pid) == "dockerd"]
    os.kill(daemon, 9)
    assert (await box.exec("echo still")).output in (b"still\n", b"")
    await box.close()
    with pytest.raises(SandboxLost):
        await box.exec("true")


def _name(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()


def _system() -> bytes:
    """A layer with some of the host's programs and what they are linked with."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        files = {f"/usr/bin/{name}" for name in PROGRAMS}
        for program in sorted(files):
            told = subprocess.run(["ldd", program], capture_output=True, text=True, check=True)
            files |= set(re.findall(r"(/\S+) \(0x", told.stdout))
        for path in sorted(files):
            tar.add(os.path.realpath(path), path.lstrip("/"))
        for folder in ("etc", "proc", "dev", "sys", "run", "tmp", "home"):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(entry)
        link = tarfile.TarInfo("bin")
        link.type, link.linkname = tarfile.SYMTYPE, "usr/bin"
        tar.addfile(link)
    return packed.getvalue()
