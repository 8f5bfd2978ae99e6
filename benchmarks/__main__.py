"""Measures it section by section, from outside where that can be, and prints one table."""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType

from benchmarks import (
    containers,
    crowd,
    dashboard,
    dispatch,
    fleet,
    miniswe,
    replayed,
    report,
    requests,
    sandbox,
    steps,
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


def main(names: Sequence[str]) -> None:
    """Every section, or those with these names."""
    if unknown := set(names) - set(SECTIONS):
        sys.exit(f"no section {', '.join(sorted(unknown))}; there are: {', '.join(SECTIONS)}")
    started = time.monotonic()
    rows = [row for name in names or SECTIONS for row in SECTIONS[name]()]
    report.show(rows, time.monotonic() - started)


def _wire() -> list[Row]:
    with temporary.server(throughput.UNLIMITED) as server:
        repository, token = _populate(server)
        return [
            *_reading(server, repository, token),
            *_working(server, repository, token),
            _accepting(server, repository, token),
        ]


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
        Row(
            "peak memory of the server",
            f"{crowd.memory(server.pid, 'VmHWM'):.0f} MB",
            "VmHWM, after that",
        ),
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


def _queue() -> list[Row]:
    with tempfile.TemporaryDirectory() as made:
        directory = Path(made)
        return [asyncio.run(dispatch.measure(directory, sqlite_url(directory), "SQLite"))]


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


def _steps() -> list[Row]:
    return [*replayed.measure(), *steps.measure(), *asyncio.run(miniswe.measure())]


def _of(part: ModuleType) -> Callable[[], list[Row]]:
    return lambda: asyncio.run(part.measure())


SECTIONS: dict[str, Callable[[], list[Row]]] = {
    "wire": _wire,
    "steps": _steps,
    "dashboard": dashboard.measure,
    "crowd": crowd.measure,
    "queue": _queue,
    "fleet": _fleet,
    "sandbox": _of(sandbox),
    "workspaces": _of(workspaces),
    "containers": _of(containers),
    "swerex": _of(swerex),
}


if __name__ == "__main__":
    main(sys.argv[1:])
