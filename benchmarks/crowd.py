"""Many sessions at once in one process, with a model that answers at once."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

from benchmarks import model
from benchmarks.report import Row
from benchmarks.requests import client, create, wait
from journeyman.cli import temporary

SESSIONS = (16, 64, 256)
STEPS = 4
SECONDS = 240.0
"""Of one crowd; a larger one is not tried when it would take longer."""


def measure() -> list[Row]:
    environ = {
        "JOURNEYMAN_WORKER_CONCURRENCY": "256",
        "JOURNEYMAN_WORKER_PER_USER": "256",
        "JOURNEYMAN_RATE_WRITES_PER_MINUTE": "0",
        "JOURNEYMAN_LOG_LEVEL": "warning",
    }
    with (
        model.instant(STEPS) as url,
        temporary.server({**model.environment(url), **environ}) as server,
    ):
        repository, token = populate(server)
        server.start()
        _crowd(server, repository, token, 2)
        one, _ = _crowd(server, repository, token, 1)
        rows = []
        taken = 0.0
        for count in SESSIONS:
            if taken * 4 > SECONDS:
                rows.append(Row(f"{count} sessions at once", "", f"not tried: {SECONDS:g} s"))
                continue
            taken, grown = _crowd(server, repository, token, count)
            result = f"{taken:.1f} s  {grown / count:.1f} MB each"
            how = (
                f"{STEPS} steps each; {taken / one:.1f} times as long as one session ({one:.1f} s)"
            )
            rows.append(Row(f"{count} sessions at once", result, how))
        server.stop()
    return rows


def populate(server: temporary.Server, user: str = "bench") -> tuple[str, str]:
    """A repository with one file, and a token for it."""
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
    token = server.run("token", "create", "--user", user, "--create-user")
    server.run("repo", "add", f"{user}/bench", str(source))
    return f"{user}/bench", token


def _crowd(
    server: temporary.Server, repository: str, token: str, count: int
) -> tuple[float, float]:
    """How long *count* sessions take together, and by how many MB the service grows meanwhile."""
    before = memory(server.pid, "VmRSS")
    Path(f"/proc/{server.pid}/clear_refs").write_text("5")  # the peak begins anew
    with client(server.url, token) as http:
        began = time.monotonic()
        tasks = [create(http, repository, f"Take {n}", model.NAME) for n in range(count)]
        for task in tasks:
            ended = wait(http, task, seconds=4 * SECONDS)
            assert ended["state"] == "completed", ended
        return time.monotonic() - began, memory(server.pid, "VmHWM") - before


def memory(pid: int, what: str) -> float:
    """In MB."""
    status = Path(f"/proc/{pid}/status").read_text()
    kilobytes = next(line.split()[1] for line in status.splitlines() if line.startswith(what))
    return int(kilobytes) / 1000
