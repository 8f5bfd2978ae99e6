"""Commands do the same in every sandbox: their streams, their terminals, their ends."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import pytest

from journeyman.sandbox import (
    WORKSPACE,
    Sandbox,
    SandboxBackend,
    SandboxLost,
    SandboxSpec,
    Terminal,
)
from tests.contract.sandbox.processes import left

pytestmark = [pytest.mark.sandbox, pytest.mark.asyncio(loop_scope="module")]

STUBBORN = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
for detach in (False, True):
    if os.fork() == 0:
        if detach:
            os.setsid()
        if os.fork() == 0:
            break
        os._exit(0)
while True:
    time.sleep(0.05)
"""


class TestExec:
    async def test_output_and_exit_code_come_back(self, box: Sandbox) -> None:
        result = await box.exec("echo out; echo err >&2; exit 3")
        assert (result.exit_code, result.output) == (3, b"out\nerr\n")
        assert not result.truncated
        assert not result.timed_out
        assert 0 < result.seconds < 5

    @pytest.mark.parametrize(("signal", "code"), [("KILL", 137), ("TERM", 143), ("SEGV", 139)])
    async def test_death_by_a_signal_is_128_and_its_number(
        self, box: Sandbox, signal: str, code: int
    ) -> None:
        result = await box.exec(f"kill -{signal} $$")
        assert result.exit_code == code

    async def test_a_list_runs_without_a_shell(self, box: Sandbox) -> None:
        result = await box.exec(["printf", "%s", "$HOME; *"])
        assert result.output == b"$HOME; *"

    async def test_a_missing_program_is_127(self, box: Sandbox) -> None:
        result = await box.exec(["no-such-program"])
        assert result.exit_code == 127
        assert b"no-such-program" in result.output

    async def test_a_file_that_is_no_program_is_126(self, box: Sandbox) -> None:
        result = await box.exec(["/etc/passwd"])
        assert result.exit_code == 126

    async def test_a_missing_folder_to_run_in_is_said(self, box: Sandbox) -> None:
        result = await box.exec("true", cwd="/nowhere")
        assert result.exit_code == 127
        assert b"/nowhere" in result.output

    async def test_commands_start_in_the_workspace(self, box: Sandbox) -> None:
        assert (await box.exec("pwd")).output == f"{WORKSPACE}\n".encode()
        await box.exec("mkdir deep")
        assert (await box.exec("pwd", cwd="deep")).output == f"{WORKSPACE}/deep\n".encode()

    async def test_no_state_of_a_shell_survives(self, box: Sandbox) -> None:
        await box.exec("cd /tmp; export LEFT=1")
        assert (await box.exec("pwd; echo [$LEFT]")).output == f"{WORKSPACE}\n[]\n".encode()

    async def test_the_environment_is_made_from_nothing(self, box: Sandbox) -> None:
        result = await box.exec(["env"], env={"EXTRA": "a=b\nc"})
        names = {line.split(b"=")[0] for line in result.output.splitlines()}
        assert names - {b"c"} == {
            *(b"PATH", b"HOME", b"USER", b"LANG", b"TMPDIR", b"TERM"),
            *(b"SANDBOX_EXEC", b"GREETING", b"EXTRA"),
        }
        assert b"EXTRA=a=b\nc\n" in result.output
        assert b"GREETING=hello\n" in result.output

    async def test_home_and_tmp_are_the_sessions_own_and_writable(self, box: Sandbox) -> None:
        result = await box.exec('touch "$HOME/x" "$TMPDIR/y" && echo ok')
        assert result.output == b"ok\n"

    async def test_standard_input_is_bytes_and_ends(self, box: Sandbox) -> None:
        data = bytes(range(256)) * 5000
        result = await box.exec(["cat"], stdin=data, limit_bytes=1 << 21)
        assert result.output == data

    async def test_without_standard_input_it_is_empty(self, box: Sandbox) -> None:
        assert (await box.exec(["cat"], timeout_seconds=5)).output == b""

    async def test_nul_bytes_in_a_command_are_refused(self, box: Sandbox) -> None:
        with pytest.raises(ValueError, match="NUL"):
            await box.exec(["echo", "a\0b"])
        assert (await box.exec("echo still")).output == b"still\n"

    async def test_too_long_a_command_is_126(self, box: Sandbox) -> None:
        assert (await box.exec("true " + "x" * (1 << 20))).exit_code == 126

    async def test_output_streams_as_it_comes(self, box: Sandbox) -> None:
        chunks: list[tuple[float, bytes]] = []
        began = time.monotonic()
        await box.exec(
            "echo one; sleep 0.5; echo two",
            on_output=lambda data: chunks.append((time.monotonic() - began, data)),
        )
        assert [data for _, data in chunks] == [b"one\n", b"two\n"]
        assert chunks[0][0] < 0.45 < chunks[1][0]

    async def test_the_middle_of_long_output_is_left_out(self, box: Sandbox) -> None:
        result = await box.exec("echo first; seq 200000; echo last", limit_bytes=10_000)
        assert result.truncated
        assert len(result.output) == 10_000
        assert result.output.startswith(b"first\n1\n")
        assert result.output.endswith(b"200000\nlast\n")

    async def test_output_of_exactly_the_limit_is_whole(self, box: Sandbox) -> None:
        result = await box.exec("printf 12345", limit_bytes=5)
        assert (result.output, result.truncated) == (b"12345", False)

    async def test_output_can_be_reopened_by_name(self, box: Sandbox) -> None:
        result = await box.exec("echo a >/dev/stdout; echo b >/dev/stderr; echo c >/proc/self/fd/1")
        assert result.output == b"a\nb\nc\n"

    async def test_commands_ignore_and_block_no_signal(self, box: Sandbox) -> None:
        result = await box.exec(["grep", "-E", "^Sig(Ign|Blk)", "/proc/self/status"])
        masks = [int(line.split()[1], 16) for line in result.output.splitlines()]
        ordinary = (1 << 31) - 1
        assert [mask & ordinary for mask in masks] == [0, 0]

    async def test_many_at_once(self, box: Sandbox) -> None:
        results = await asyncio.gather(*(box.exec(f"echo {n}") for n in range(100)))
        assert [int(result.output) for result in results] == list(range(100))


class TestTerminal:
    async def test_a_command_may_have_one_of_a_size(self, box: Sandbox) -> None:
        result = await box.exec(
            'stty size; test -t 0 -a -t 1 -a -t 2 && tty; echo "$TERM"', terminal=Terminal(50, 132)
        )
        size, path, name = result.output.decode().split("\r\n")[:3]
        assert (size, name) == ("50 132", "xterm-256color")
        assert path.startswith("/dev/pts/")

    async def test_it_controls_its_session(self, box: Sandbox) -> None:
        result = await box.exec(
            "echo said > /dev/tty; ps -o tpgid=,pgid= -p $$", terminal=Terminal()
        )
        said, groups = result.output.decode().split("\r\n")[:2]
        assert said == "said"
        assert len(set(groups.split())) == 1

    async def test_what_is_typed_arrives_and_ends(self, box: Sandbox) -> None:
        result = await box.exec(
            "stty -echo; read -r line; cat; echo [$line]",
            stdin=b"one\ntwo\n",
            terminal=Terminal(),
            timeout_seconds=10,
        )
        assert not result.timed_out
        assert result.output.replace(b"\r", b"").endswith(b"two\n[one]\n")

    async def test_a_timeout_ends_it_and_what_was_said_is_kept(self, box: Sandbox) -> None:
        result = await box.exec("echo said; sleep 100", terminal=Terminal(), timeout_seconds=0.5)
        assert (result.timed_out, result.output) == (True, b"said\r\n")
        assert await left(box) == b""

    async def test_long_output_is_bounded(self, box: Sandbox) -> None:
        result = await box.exec("seq 100000", terminal=Terminal(), limit_bytes=1000)
        assert (result.truncated, len(result.output)) == (True, 1000)
        assert result.output.endswith(b"100000\r\n")

    async def test_terminals_leave_no_descriptor(self, box: Sandbox) -> None:
        before = set(os.listdir("/proc/self/fd"))
        for command in ("true", "(sleep 0.2; echo late) &", "no-such-program"):
            await box.exec(command, terminal=Terminal())
        assert set(os.listdir("/proc/self/fd")) == before


class TestEndOfCommands:
    async def test_a_timeout_ends_the_whole_tree(self, box: Sandbox) -> None:
        began = time.monotonic()
        result = await box.exec(
            f"trap '' TERM; setsid sleep 100 & (sleep 100 &) & python3 -c '{STUBBORN}'",
            timeout_seconds=0.5,
        )
        assert result.timed_out
        assert result.exit_code == 137
        assert time.monotonic() - began < 2
        assert await left(box) == b""

    async def test_a_timeout_ends_a_stopped_process(self, box: Sandbox) -> None:
        result = await box.exec("kill -STOP $$", timeout_seconds=0.3)
        assert result.timed_out
        assert await left(box) == b""

    async def test_what_was_said_before_a_timeout_is_kept(self, box: Sandbox) -> None:
        result = await box.exec("echo said; sleep 100", timeout_seconds=0.3)
        assert result.output == b"said\n"

    async def test_cancelling_ends_the_whole_tree_within_a_second(self, box: Sandbox) -> None:
        running = asyncio.create_task(box.exec("trap '' TERM; setsid sleep 100 & sleep 100"))
        await asyncio.sleep(0.2)
        began = time.monotonic()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert time.monotonic() - began < 1
        assert await left(box) == b""

    async def test_a_timeout_spares_other_commands(self, box: Sandbox) -> None:
        other = asyncio.create_task(box.exec("sleep 1; echo fine"))
        await box.exec("sleep 100", timeout_seconds=0.2)
        assert (await other).output == b"fine\n"

    async def test_a_background_process_survives_its_command(self, box: Sandbox) -> None:
        began = time.monotonic()
        await box.exec("(while sleep 0.05; do echo noise; echo x >> ticks; done) &")
        assert time.monotonic() - began < 2
        before = len(await box.read("ticks"))
        await asyncio.sleep(0.5)
        assert len(await box.read("ticks")) > before

    async def test_later_output_never_blocks_a_background_process(self, box: Sandbox) -> None:
        await box.exec("(sleep 0.5; seq 300000; echo done > finished) &")
        for _ in range(100):
            if b"finished" in (await box.exec("ls")).output:
                return
            await asyncio.sleep(0.05)
        pytest.fail("the background process is stuck or dead")

    async def test_a_server_in_the_background_answers_later_commands(self, box: Sandbox) -> None:
        await box.exec("python3 -m http.server --bind 127.0.0.1 8000 &")
        fetch = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:8000/').status)"
        result = await box.exec(
            f'for i in $(seq 50); do python3 -c "{fetch}" 2>/dev/null && exit; sleep 0.1; done'
        )
        assert result.output == b"200\n"

    async def test_kill_all_ends_background_processes(self, box: Sandbox) -> None:
        running = asyncio.create_task(box.exec("sleep 100"))
        await box.exec("setsid sleep 100 & env -i setsid -f sleep 100")
        await box.kill_all()
        assert (await running).exit_code == 137
        assert await left(box) == b""

    async def test_nothing_dead_is_left_unburied(self, box: Sandbox) -> None:
        await box.exec("for i in $(seq 20); do (setsid sh -c 'sleep 0.05' &) ; done")
        await asyncio.sleep(0.5)
        result = await box.exec("cat /proc/[0-9]*/stat | grep -c ' Z ' || true")
        assert result.output == b"0\n"


class TestSpawn:
    async def test_it_is_talked_to_while_it_runs(self, box: Sandbox) -> None:
        echo = (
            'echo $PLACE $GREETING; while read -r it; do echo "<$it>"; done; echo end >&2; exit 4'
        )
        process = await box.spawn(["bash", "-c", echo], cwd="..", env={"PLACE": "here"})
        assert await process.stdout.readline() == b"here hello\n"
        for said in (b"one", b"two"):
            process.stdin.write(said + b"\n")
            assert await process.stdout.readline() == b"<" + said + b">\n"
        process.stdin.write_eof()
        assert await process.wait() == 4
        assert await process.stdout.read() == b""
        assert process.errors == b"end\n"
        await process.kill()
        assert await process.wait() == 4

    async def test_a_kill_ends_its_tree(self, box: Sandbox) -> None:
        process = await box.spawn(["bash", "-c", "setsid sleep 100 & echo begun; sleep 100"])
        assert await process.stdout.readline() == b"begun\n"
        await process.kill()
        assert await process.wait() == 137
        assert await left(box) == b""

    async def test_what_cannot_be_started_ends_at_once(self, box: Sandbox) -> None:
        process = await box.spawn(["no-such-program"])
        assert await process.wait() == 127
        assert b"no-such-program" in process.errors
        await process.kill()

    async def test_it_ends_with_the_sandbox(self, backend: SandboxBackend, tmp_path: Path) -> None:
        box = await backend.start(SandboxSpec("ends", tmp_path / "s"))
        process = await box.spawn(["cat"])
        await box.close()
        assert await process.stdout.read() == b""
        with pytest.raises(SandboxLost):
            await process.wait()
        await process.kill()
        with pytest.raises(SandboxLost):
            await box.spawn(["cat"])
