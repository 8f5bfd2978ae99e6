"""Starts a server, measures it from outside, prints one table."""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path

from benchmarks import (
    containers,
    crowd,
    dashboard,
    dispatch,
    fleet,
    model,
    report,
    requests,
    sandbox,
    store,
    swerex,
    throughput,
    workspaces,
)
from benchmarks.report import Row
from journeyman.cli import temporary
from journeyman.store.database import sqlite_url
from tests import postgres

USER = "bench"


def main() -> None:
    started = time.monotonic()
    environ = throughput.UNLIMITED
    with (
        model.instant(requests.STEPS) as url,
        temporary.server({**model.environment(url), **environ}) as server,
    ):
        repository, token = _populate(server)
        rows = _reading(server, repository, token)
        rows += [*_working(server, repository, token), _accepting(server, repository, token)]
    rows += dashboard.measure() + crowd.measure() + asyncio.run(_queues())
    rows += _fleet()
    for part in (sandbox, workspaces, containers, swerex):
        rows += asyncio.run(part.measure())
    report.show(rows, time.monotonic() - started)


def _reading(server: temporary.Server, repository: str, token: str) -> list[Row]:
    """Without a worker, so that nothing else takes the processor."""
    server.start("--no-worker")
    rows = throughput.measure_reads(server, repository, token, store.TASKS)
    server.stop()
    url = sqlite_url(server.data)
    rows.append(asyncio.run(store.measure_appends(url, *repository.split("/"), "SQLite")))
    return rows


def _working(server: temporary.Server, repository: str, token: str) -> list[Row]:
    server.start()
    rows = [
        *requests.measure_first_commands(server.url, repository, token),
        *requests.measure_steps(server.url, repository, token, model.NAME),
        Row("peak memory of the server", f"{_peak_memory(server.pid)} MB", "VmHWM, both of these"),
    ]
    server.stop()
    return rows


def _fleet() -> list[Row]:
    """What takes a PostgreSQL, where there is one."""
    with postgres.running(settings=()) as cluster, tempfile.TemporaryDirectory() as made:
        if cluster is None:
            return [Row("several processes on PostgreSQL", "", "PostgreSQL is not installed")]
        directory = Path(made)
        queued = asyncio.run(dispatch.measure(directory, cluster.fresh(), "PostgreSQL"))
        return [queued, *fleet.measure(cluster.fresh(), directory)]


async def _queues() -> list[Row]:
    with tempfile.TemporaryDirectory() as made:
        directory = Path(made)
        return [await dispatch.measure(directory, sqlite_url(directory), "SQLite")]


def _accepting(server: temporary.Server, repository: str, token: str) -> Row:
    """Last: there are more tasks afterwards than a worker could do."""
    server.start("--no-worker")
    row = throughput.measure_posts(server, repository, token)
    server.stop()
    return row


def _populate(server: temporary.Server) -> tuple[str, str]:
    """A repository with many tasks behind it, and a token for it."""
    repository, token = crowd.populate(server, USER)
    asyncio.run(store.fill(server.data, USER, "bench", USER))
    return repository, token


def _peak_memory(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    kilobytes = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
    return int(kilobytes) // 1000


if __name__ == "__main__":
    main()
