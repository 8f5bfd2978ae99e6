"""Starts a server, measures it from outside, prints one table."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks import (
    containers,
    dashboard,
    report,
    requests,
    sandbox,
    store,
    throughput,
    workspaces,
)
from benchmarks.report import Row
from journeyman.cli import temporary
from tests.peers.model_server import ModelServer, Say

MODEL = "bench"
USER = "bench"


def main() -> None:
    started = time.monotonic()
    with _instant_model() as url, temporary.server(_environment(url)) as server:
        repository, token = _populate(server)
        rows = _reading(server, repository, token)
        rows += [*_working(server, repository, token), _accepting(server, repository, token)]
    rows += dashboard.measure()
    for part in (sandbox, workspaces, containers):
        rows += asyncio.run(part.measure())
    report.show(rows, time.monotonic() - started)


def _reading(server: temporary.Server, repository: str, token: str) -> list[Row]:
    """Without a worker, so that nothing else takes the processor."""
    server.start("--no-worker")
    rows = throughput.measure_reads(server, repository, token, store.TASKS)
    server.stop()
    rows.append(asyncio.run(store.measure_appends(server.data, *repository.split("/"), USER)))
    return rows


def _working(server: temporary.Server, repository: str, token: str) -> list[Row]:
    server.start()
    rows = [
        *requests.measure_first_commands(server.url, repository, token),
        *requests.measure_steps(server.url, repository, token, MODEL),
        Row("peak memory of the server", f"{_peak_memory(server.pid)} MB", "VmHWM, both of these"),
    ]
    server.stop()
    return rows


def _accepting(server: temporary.Server, repository: str, token: str) -> Row:
    """Last: there are more tasks afterwards than a worker could do."""
    server.start("--no-worker")
    row = throughput.measure_posts(server, repository, token)
    server.stop()
    return row


def _populate(server: temporary.Server) -> tuple[str, str]:
    """A repository with many tasks behind it, and a token for it."""
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
    token = server.run("token", "create", "--user", USER)
    server.run("repo", "add", f"{USER}/bench", str(source))
    asyncio.run(store.fill(server.data, USER, "bench", USER))
    return f"{USER}/bench", token


def _environment(url: str) -> dict[str, str]:
    provider = {"OPENAI_API_KEY": "none", "OPENAI_BASE_URL": url, "OPENAI_MODEL": MODEL}
    return {**provider, **throughput.UNLIMITED}


@contextlib.contextmanager
def _instant_model() -> Iterator[str]:
    """An OpenAI-compatible server in a thread that asks for one command after the other; each is
    another, since a model that repeats itself is stopped."""
    ready, over = threading.Event(), threading.Event()
    addresses: list[str] = []

    def turn(number: int, _request: object) -> Say:
        if number < requests.STEPS:
            return Say(calls=[("bash", {"command": f"true {number}"})])
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
