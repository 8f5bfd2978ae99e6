"""Starts a server, measures it from outside, prints one table."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks import report, requests, sandbox, store
from benchmarks.report import Row
from journeyman.cli import temporary
from tests.peers.model_server import ModelServer, Say

MODEL = "bench"
USERS = ("bench-a", "bench-b")
"""Several, because the number of tasks that one may give in a minute is limited."""


def main() -> None:
    started = time.monotonic()
    with _instant_model() as url, temporary.server(_provider(url)) as server:
        access = _populate(server)
        rows = [*_accepting(server, access), *_working(server, access[0])]
    rows += asyncio.run(sandbox.measure())
    report.show(rows, time.monotonic() - started)


def _accepting(server: temporary.Server, access: list[tuple[str, str]]) -> list[Row]:
    """Without a worker, so that nothing else takes the processor."""
    server.start("--no-worker")
    rows = [
        requests.measure_posts(server.url, access[1:]),
        requests.measure_lists(server.url, *access[0], store.TASKS),
    ]
    server.stop()
    owner, name = access[0][0].split("/")
    rows.append(asyncio.run(store.measure_appends(server.data, owner, name, owner)))
    return rows


def _working(server: temporary.Server, access: tuple[str, str]) -> list[Row]:
    server.start()
    rows = [
        *requests.measure_first_commands(server.url, *access),
        *requests.measure_steps(server.url, *access, MODEL),
        Row(
            "peak memory of the server", f"{_peak_memory(server.pid)} MB", "VmHWM, all of the above"
        ),
    ]
    server.stop()
    return rows


def _populate(server: temporary.Server) -> list[tuple[str, str]]:
    """A repository and a token for each user; the first has many tasks behind it."""
    source = server.directory / "source"
    source.mkdir()
    (source / "README.md").write_text("# bench\n")
    identity = ["-c", "user.name=Bench", "-c", "user.email=bench@example.org"]
    for arguments in (
        ["init", "--quiet", "--initial-branch=main"],
        ["add", "."],
        [*identity, "commit", "--quiet", "--message", "Begin"],
    ):
        subprocess.run(["git", *arguments], cwd=source, check=True)
    access = []
    for user in USERS:
        token = server.run("token", "create", "--user", user)
        server.run("repo", "add", f"{user}/bench", str(source))
        access.append((f"{user}/bench", token))
    asyncio.run(store.fill(server.data, USERS[0], "bench", USERS[0]))
    return access


def _provider(url: str) -> dict[str, str]:
    return {"OPENAI_API_KEY": "none", "OPENAI_BASE_URL": url, "OPENAI_MODEL": MODEL}


@contextlib.contextmanager
def _instant_model() -> Iterator[str]:
    """An OpenAI-compatible server in a thread that asks for one command after the other."""
    ready, over = threading.Event(), threading.Event()
    addresses: list[str] = []

    def turn(number: int, _request: object) -> Say:
        if number < requests.STEPS:
            return Say(calls=[("bash", {"command": "true"})])
        return Say("All steps are taken.")

    async def serve() -> None:
        async with ModelServer(turn) as server:
            addresses.append(server.base_url)
            ready.set()
            while not over.is_set():
                await asyncio.sleep(0.1)
                server.requests.clear()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    ready.wait(10)
    try:
        yield addresses[0]
    finally:
        over.set()
        thread.join()


def _peak_memory(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    kilobytes = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
    return int(kilobytes) // 1000


if __name__ == "__main__":
    main()
