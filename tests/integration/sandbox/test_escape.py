"""Attempts to see, touch or become something outside of a sandbox."""

from __future__ import annotations

import errno
import os
import platform
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from journeyman.sandbox import Sandbox, SandboxBackend, SandboxSpec, seccomp

pytestmark = pytest.mark.sandbox

ATTEMPTS = Path(__file__).with_name("attempts.py")
ON_X86_64 = pytest.mark.skipif(platform.machine() != "x86_64", reason="system calls of x86-64")
CLONE_NEW_USER = 0x10000000
TIOCSTI = 0x5412


async def said(box: Sandbox, command: str) -> str:
    return (await box.exec(command, timeout_seconds=60)).output.decode(errors="replace")


class TestFiles:
    async def test_nothing_of_the_host_but_its_programs(self, box: Sandbox) -> None:
        assert set((await said(box, "ls -A /")).split()) <= {
            *("bin", "sbin", "lib", "lib32", "lib64", "libx32", "libo32", "usr"),
            *("dev", "etc", "home", "mirror.git", "proc", "run", "tmp", "var", "workspace"),
        }
        assert (await said(box, "ls -A /home /var /run")).split() == [
            *("/home:", "agent", "/run:", "journeyman", "/var:", "tmp")
        ]

    @pytest.mark.parametrize(
        "path",
        [
            "/root",
            "/etc/shadow",
            "/etc/hostname",
            "/var/lib",
            "/sys",
            "/boot",
            "/srv",
            "/mnt",
            "/opt",
        ],
    )
    async def test_this_is_not_there(self, box: Sandbox, path: str) -> None:
        assert await said(box, f"ls -d {path} 2>/dev/null") == ""

    async def test_the_repository_of_this_test_is_not_there(self, box: Sandbox) -> None:
        assert await said(box, f"ls -d {Path(__file__)} 2>/dev/null") == ""

    async def test_only_the_sessions_folders_are_writable(self, box: Sandbox) -> None:
        found = await said(
            box, 'for d in /* /*/*; do touch "$d/probe" 2>/dev/null && echo "$d"; done'
        )
        assert set(found.split()) == {"/dev/shm", "/home/agent", "/tmp", "/workspace"}

    @pytest.mark.parametrize("path", ["/new", "/usr/new", "/etc/new", "/dev/new", "/run/new"])
    async def test_this_cannot_be_created(self, box: Sandbox, path: str) -> None:
        assert (await box.exec(["touch", path])).exit_code != 0

    async def test_the_kernels_settings_are_read_only(self, box: Sandbox) -> None:
        found = await said(
            box, "find /proc -path '/proc/[0-9]*' -prune -o -writable -type f -print 2>/dev/null"
        )
        bound_to_a_namespace = ("/proc/sys/fs/mqueue/", "/proc/sys/kernel/msg", "/proc/pressure/")
        harmless = {"auto_msgmni", "ns_last_pid", "pid_max", "sem", "shmall", "shmmax", "shmmni"}
        harmless |= {"shm_rmid_forced"}
        others = [line for line in found.splitlines() if not line.startswith(bound_to_a_namespace)]
        assert {Path(line).name for line in others} <= harmless

    async def test_writable_folders_grant_no_set_user_id(self, box: Sandbox) -> None:
        mounts = await said(box, "grep -E ' (/tmp|/home/agent|/workspace|/dev/shm) ' /proc/mounts")
        assert len(mounts.splitlines()) == 4
        assert all("nosuid" in line for line in mounts.splitlines())

    async def test_devices_cannot_be_made(self, box: Sandbox) -> None:
        assert (await box.exec("mknod disk b 8 0")).exit_code != 0
        devices = set((await said(box, "find /dev -type c -o -type b")).split())
        allowed = {"null", "zero", "full", "random", "urandom", "tty", "ptmx", "console"}
        assert {Path(device).name for device in devices} <= allowed

    @pytest.mark.parametrize(
        "command",
        [
            "su -c id",
            "mount -t tmpfs x /tmp",
            "unshare -Ur id",
            "newuidmap $$ 0 0 1",
            "chroot / id",
            "nsenter -t 1 -n id",
        ],
    )
    async def test_programs_that_raise_powers_do_not(self, box: Sandbox, command: str) -> None:
        assert (await box.exec(command, stdin=b"")).exit_code != 0


class TestSecrets:
    @pytest.fixture(autouse=True)
    def secret(self) -> Iterator[str]:
        os.environ["JOURNEYMAN_TEST_SECRET"] = "marker-in-the-environment"
        yield os.environ["JOURNEYMAN_TEST_SECRET"]
        del os.environ["JOURNEYMAN_TEST_SECRET"]

    async def test_the_services_environment_is_nowhere(
        self, secret: str, backend: SandboxBackend, tmp_path: Path
    ) -> None:
        box = await backend.start(SandboxSpec("secret", tmp_path / "s"))
        try:
            assert secret not in await said(box, "env; cat /proc/*/environ /proc/*/cmdline")
        finally:
            await box.close()

    @pytest.mark.parametrize("name", ["environ", "mem", "maps", "io", "syscall", "stack", "auxv"])
    async def test_process_1_is_closed(self, box: Sandbox, name: str) -> None:
        assert (await box.exec(f"head -c 1 /proc/1/{name}")).exit_code != 0

    @pytest.mark.parametrize("name", ["fd", "root/", "cwd/", "map_files"])
    async def test_process_1_has_no_way_in(self, box: Sandbox, name: str) -> None:
        assert (await box.exec(f"ls /proc/1/{name}")).exit_code != 0

    async def test_commands_inherit_three_descriptors(self, box: Sandbox) -> None:
        listed = (await box.exec(["ls", "/proc/self/fd"])).output.split()
        assert listed == [b"0", b"1", b"2", b"3"]

    async def test_only_its_own_processes_are_listed(self, box: Sandbox) -> None:
        assert int(await said(box, "ls -d /proc/[0-9]* | wc -l")) <= 5

    async def test_the_hosts_folders_are_not_named(self, box: Sandbox, tmp_path: Path) -> None:
        found = await said(box, "cat /proc/*/cmdline /proc/self/mounts /proc/self/cgroup")
        assert str(tmp_path) not in found
        assert await said(box, f"ls -d {tmp_path} 2>/dev/null") == ""


class TestSystemCalls:
    @ON_X86_64
    async def test_each_forbidden_one_is_refused(self, box: Sandbox) -> None:
        column, _ = seccomp.ARCHITECTURES["x86_64"]
        refused = dict.fromkeys(seccomp.REFUSED, errno.EPERM)
        expected = refused | dict.fromkeys(seccomp.ABSENT, errno.ENOSYS)
        expected |= {"clone": errno.EPERM, "ioctl": errno.EPERM, "x32": errno.ENOSYS}
        expected |= {"ptrace": errno.EPERM, "process_vm_readv": errno.EPERM}
        expected |= {"pidfd_getfd": errno.EPERM, "int80": errno.ENOSYS}
        calls = [
            *(f"{name} {nr[column]} 0 0 0 0 0" for name, nr in seccomp.REFUSED.items()),
            *(f"{name} {nr[column]} 0 0 0 0 0" for name, nr in seccomp.ABSENT.items()),
            f"clone {seccomp.CLONE[column]} {CLONE_NEW_USER} 0 0 0 0",
            f"ioctl {seccomp.IOCTL[column]} 0 {TIOCSTI} 0",
            f"x32 {seccomp.X32_BIT | 39}",
        ]
        result = await box.exec(
            ["python3", "-", "\n".join(calls)], stdin=ATTEMPTS.read_bytes(), timeout_seconds=30
        )
        lines = [line.rsplit(" ", 1) for line in result.output.decode().splitlines()]
        found = {name: int(number) for name, number in lines}
        sockets = {name: found.pop(name) for name in list(found) if name.startswith("family")}
        assert found == expected
        assert {name for name, error in sockets.items() if error == 0} <= {
            *("family1", "family2", "family10", "family16")
        }
        assert sockets["family40"] == errno.EAFNOSUPPORT

    async def test_no_capabilities_and_no_new_privileges(self, box: Sandbox) -> None:
        status = await said(box, "cat /proc/self/status")
        facts = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        assert {facts[f"Cap{which}"] for which in ("Inh", "Prm", "Eff", "Bnd", "Amb")} == {"0" * 16}
        assert (facts["NoNewPrivs"], facts["Seccomp"]) == ("1", "2")

    async def test_process_1_cannot_be_ended_from_inside(self, box: Sandbox) -> None:
        await box.exec("for s in KILL STOP TERM INT HUP SEGV; do kill -$s 1; done; sleep 0.1")
        assert await said(box, "echo alive") == "alive\n"


class TestNetwork:
    async def test_there_is_only_the_loopback(self, box: Sandbox) -> None:
        names = await said(box, "tail -n +3 /proc/net/dev | cut -d: -f1")
        assert names.split() == ["lo"]

    @pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
    async def test_the_hosts_loopback_is_another(self, box: Sandbox, host: str) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.create_server((host, 0), family=family) as server:
            port = server.getsockname()[1]
            code = f"import socket; socket.create_connection(({host!r}, {port}), 2)"
            result = await box.exec(["python3", "-c", code])
        # An engine may leave IPv6 out altogether.
        assert b"refused" in result.output or b"Cannot assign" in result.output

    @pytest.mark.parametrize("address", ["169.254.169.254", "10.0.0.1", "192.0.2.1", "2001:db8::1"])
    async def test_nothing_outside_is_reachable(self, box: Sandbox, address: str) -> None:
        code = f"import socket; socket.create_connection(({address!r}, 80), 2)"
        result = await box.exec(["python3", "-c", code])
        assert b"unreachable" in result.output or b"Cannot assign" in result.output

    async def test_the_hosts_abstract_sockets_are_others(self, box: Sandbox) -> None:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind("\0journeyman-test")
            server.listen()
            code = "import socket; socket.socket(socket.AF_UNIX).connect('\\0journeyman-test')"
            result = await box.exec(["python3", "-c", code])
        assert b"refused" in result.output

    async def test_names_do_not_resolve(self, box: Sandbox) -> None:
        assert (await box.exec("getent hosts example.com", timeout_seconds=20)).exit_code != 0
        assert "127.0.0.1" in await said(box, "getent ahosts localhost")
