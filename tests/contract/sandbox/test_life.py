"""Every sandbox begins, meets the network and ends alike."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from journeyman.sandbox import (
    Blocked,
    Network,
    Sandbox,
    SandboxBackend,
    SandboxLost,
    SandboxSpec,
)

pytestmark = [pytest.mark.sandbox, pytest.mark.asyncio(loop_scope="module")]


class TestNetwork:
    async def test_there_is_none_unless_it_is_asked_for(self, box: Sandbox) -> None:
        result = await box.exec("getent hosts example.org; cat /proc/net/route | wc -l; env")
        assert b"PROXY" not in result.output.upper()
        assert result.output.startswith(b"1\n")
        assert box.enforced["network"] == "none"
        assert (result.blocked, box.blocked()) == ((), ())
        with pytest.raises(ValueError, match="without a network"):
            box.change_network(Network(("example.org",)))
        with pytest.raises(ValueError, match="without a network"):
            await box.listen(4000)

    async def test_what_is_not_listed_is_refused_and_told(
        self, backend: SandboxBackend, tmp_path: Path
    ) -> None:
        spec = SandboxSpec("net", tmp_path / "s", network=Network(("listed.invalid",)))
        box = await backend.start(spec)
        try:
            assert box.enforced["network"] == "allowlist"
            result = await box.exec("curl -sS http://other.invalid/ http://other.invalid/")
            assert b"other.invalid:80 is not on the allowlist" in result.output
            command = "curl -sS http://other.invalid/ http://other.invalid/"
            found = Blocked("other.invalid", 80, "GET", "is not on the allowlist", command, 2)
            assert result.blocked == (found,)
            assert box.blocked() == (found,)
            box.change_network(Network(("other.invalid",)))
            again = await box.exec("curl -sS http://other.invalid/")
            assert b"did not answer" in again.output
            assert again.blocked == ()
            await _serves(box)
        finally:
            await box.close()

    async def test_wrong_rules_start_nothing(self, backend: SandboxBackend, tmp_path: Path) -> None:
        before = set(os.listdir("/proc/self/fd"))
        for network in (Network(("a b",)), Network((), ("10.0.0.1/8",))):
            with pytest.raises(ValueError, match=r"a b|10\.0\.0\.1/8"):
                await backend.start(SandboxSpec("net", tmp_path / "s", network=network))
        assert set(os.listdir("/proc/self/fd")) == before


async def _serves(box: Sandbox) -> None:
    """This process can be reached from inside, at a port of its own."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.0 200 OK\r\n\r\nfor " + (await reader.readline()).split()[1])
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(answer, sock=await box.listen(4000)):
        assert (await box.exec("curl -sS http://127.0.0.1:4000/it")).output == b"for /it"
        with pytest.raises(ValueError, match="port 4000 inside: Address already in use"):
            await box.listen(4000)


class TestLife:
    async def test_generated_files_are_there_and_read_only(
        self, backend: SandboxBackend, tmp_path: Path
    ) -> None:
        files = {"/etc/gitconfig": b"[user]\n\tname = A\n", "/run/journeyman/notes/a": b"note"}
        sandbox = await backend.start(SandboxSpec("files", tmp_path / "s", files=files))
        try:
            assert await sandbox.read("/run/journeyman/notes/a") == b"note"
            assert (await sandbox.exec("git config user.name")).output == b"A\n"
            assert (await sandbox.exec("echo x > /run/journeyman/notes/a")).exit_code != 0
        finally:
            await sandbox.close()

    async def test_the_mirror_is_readable_and_not_writable(
        self, backend: SandboxBackend, tmp_path: Path
    ) -> None:
        mirror = tmp_path / "mirror.git"
        mirror.mkdir()
        (mirror / "HEAD").write_text("ref")
        sandbox = await backend.start(SandboxSpec("mirror", tmp_path / "s", mirror=mirror))
        try:
            assert await sandbox.read("/mirror.git/HEAD") == b"ref"
            assert (await sandbox.exec("touch /mirror.git/HEAD")).exit_code != 0
        finally:
            await sandbox.close()

    async def test_the_working_tree_outlives_the_sandbox(
        self, backend: SandboxBackend, tmp_path: Path
    ) -> None:
        spec = SandboxSpec("again", tmp_path / "s")
        for expected in (b"", b"kept"):
            sandbox = await backend.start(spec)
            assert (
                await sandbox.exec("cat file 2>/dev/null; printf kept > file")
            ).output == expected
            await sandbox.close()

    async def test_folders_of_the_host_are_lent_to_be_read(
        self, backend: SandboxBackend, tmp_path: Path
    ) -> None:
        # The first is where a session's own would be put; the last two are closed, and missing.
        lent = tuple(map(Path, ("/mnt", "/media", "/usr", "/root", "/no/such")))
        before = {str(path): sorted(os.listdir(path)) for path in lent[:2] if path.is_dir()}
        sandbox = await backend.start(SandboxSpec("lent", tmp_path / "s", folders=lent))
        try:
            for path, names in before.items():
                result = await sandbox.exec(["ls", "-A", path])
                assert (result.exit_code, sorted(result.output.decode().split())) == (0, names)
                assert (await sandbox.exec(["touch", f"{path}/x"])).exit_code != 0
            assert (await sandbox.exec("ls -d /root /no")).output.count(b"No such file") == 2
        finally:
            await sandbox.close()

    async def test_a_cache_is_shared_by_those_who_are_given_it(
        self, backend: SandboxBackend, tmp_path: Path
    ) -> None:
        found = []
        for name, cache in (("one", "a"), ("two", "a"), ("three", "b")):
            spec = SandboxSpec(name, tmp_path / name, cache=tmp_path / "caches" / cache)
            box = await backend.start(spec)
            result = await box.exec("cat ~/.cache/x 2>/dev/null; echo kept > ~/.cache/x")
            found.append((result.exit_code, result.output))
            await box.close()
            await backend.remove(spec.directory)
        assert found == [(0, b""), (0, b"kept\n"), (0, b"")]

    async def test_closing_twice_and_at_once_is_fine(
        self, backend: SandboxBackend, tmp_path: Path
    ) -> None:
        sandbox = await backend.start(SandboxSpec("close", tmp_path / "s"))
        await asyncio.gather(sandbox.close(), sandbox.close())
        await sandbox.close()
        with pytest.raises(SandboxLost):
            await sandbox.exec("true")
        with pytest.raises(SandboxLost):
            await sandbox.read("x")
        with pytest.raises(SandboxLost):
            await sandbox.write("x", b"")

    async def test_closing_ends_what_is_running(
        self, backend: SandboxBackend, tmp_path: Path
    ) -> None:
        sandbox = await backend.start(SandboxSpec("close", tmp_path / "s"))
        running = asyncio.create_task(sandbox.exec("sleep 100"))
        await asyncio.sleep(0.1)
        await sandbox.close()
        with pytest.raises(SandboxLost):
            await running

    async def test_sandboxes_do_not_see_each_other(
        self, backend: SandboxBackend, tmp_path: Path
    ) -> None:
        one = await backend.start(SandboxSpec("one", tmp_path / "one"))
        two = await backend.start(SandboxSpec("two", tmp_path / "two"))
        try:
            await one.exec("echo private > /tmp/x; echo private > ~/x; sleep 100 &")
            result = await two.exec("ls /tmp ~ /workspace | grep x; pgrep sleep")
            assert result.output == b""
        finally:
            await one.close()
            await two.close()

    async def test_many_start_at_once(self, backend: SandboxBackend, tmp_path: Path) -> None:
        many = 30 if backend.name == "bubblewrap" else 10  # engines are slow
        specs = [SandboxSpec(f"many{n}", tmp_path / f"s{n}") for n in range(many)]
        before = set(os.listdir("/proc/self/fd"))
        boxes = await asyncio.gather(*(backend.start(spec) for spec in specs))
        results = await asyncio.gather(*(box.exec("echo up") for box in boxes))
        await asyncio.gather(*(box.close() for box in boxes))
        assert {result.output for result in results} == {b"up\n"}
        assert set(os.listdir("/proc/self/fd")) == before

    async def test_removing_copes_with_a_hostile_tree(
        self, backend: SandboxBackend, tmp_path: Path
    ) -> None:
        spec = SandboxSpec("hostile", tmp_path / "s")
        sandbox = await backend.start(spec)
        depth = 20_000 if backend.name == "bubblewrap" else 2_000
        deep = f"import os\nfor _ in range({depth}): os.mkdir('d'); os.chdir('d')"
        made = await sandbox.exec(
            f'python3 -c "{deep}"; mkdir -p shut/inner; ln -s / root; mkfifo pipe;'
            " truncate -s 1T sparse; echo > $'new\\nline'; echo > $'\\xff\\e[31m'; ln sparse hard;"
            " chmod 0 shut && ls | wc -l"
        )
        assert made.output == b"9\n"
        await sandbox.close()
        await backend.remove(spec.directory)
        assert not spec.directory.exists()
        await backend.remove(spec.directory)
