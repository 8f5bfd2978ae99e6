"""Processes die and hang at random, the database, the model and the forge fail: every task still
ends as it should.

`make chaos` runs the long version: CHAOS_TASKS tasks and CHAOS_FAULTS faults on each database.
"""

from __future__ import annotations

import asyncio
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests import postgres
from tests.conftest import git
from tests.e2e import chaos_worker
from tests.e2e.conftest import hello
from tests.e2e.server import FINAL, Client, Server, journeyman, running
from tests.peers.model_server import Cut, Fault, Json, ModelServer, Reset, Say, Stall, Status

TASKS = int(os.environ.get("CHAOS_TASKS", "4"))
FAULTS = int(os.environ.get("CHAOS_FAULTS", "4"))
WORKERS = int(os.environ.get("CHAOS_WORKERS", "2"))
SEED = int(os.environ.get("CHAOS_SEED", "1"))
STEPS = 8
TASKS_PER_USER = 50
"""Below what one user may write in a minute."""
HANG_SECONDS = 12.0
"""Longer than the lease: others take the runs of a worker that hangs."""
BUSY_START_SECONDS = 180.0
"""Many sandboxes are at work beside a process that starts again."""
FORGE_FAILS, MODEL_FAILS = 0.03, 0.1
"""Of all their calls."""
LOST = ("Interrupted:", "Not run:", "what this changed is gone")
"""What a result says whose command must be repeated."""

pytestmark = [
    pytest.mark.sandbox,
    pytest.mark.engine,
    pytest.mark.timeout(300 + 30 * TASKS + 30 * FAULTS),
]


@dataclass
class Peer:
    """The model: asks for one step after the other, and fails at random."""

    url: str
    done: Counter[str] = field(default_factory=Counter)


def turn(_number: int, request: Json) -> Say:
    """The next step is that after all whose results stand."""
    results = [str(one["content"]) for one in request["messages"] if one["role"] == "tool"]
    step = sum(not any(said in result for said in LOST) for result in results)
    if step == STEPS:
        return Say("All steps are taken.")
    told = re.search(r"Count (\d+)", str(request["messages"]))
    assert told is not None
    command = f"echo {step} >> count-{told[1]}.txt; sleep 0.5"
    return Say(calls=[("bash", {"command": command})])


@contextmanager
def failing_model() -> Iterator[Peer]:
    """In a thread of its own, since the test waits and kills in the foreground."""
    ready, over = threading.Event(), threading.Event()
    peer = Peer("")
    chance = random.Random(SEED)
    faults: tuple[Fault, ...] = (
        Status(429, headers={"Retry-After": "1"}),
        Status(500),
        Reset(2),
        Stall(2, seconds=1.0),
        Cut(2),
    )

    def fault() -> Fault | None:
        if chance.random() >= MODEL_FAILS:
            return None
        chosen = chance.choice(faults)
        peer.done[f"model: {type(chosen).__name__} {getattr(chosen, 'code', '')}".strip()] += 1
        return chosen

    async def serve() -> None:
        async with ModelServer(turn) as server:
            server.chance = fault
            peer.url = server.base_url
            ready.set()
            while not over.is_set():
                await asyncio.sleep(0.1)
                server.requests.clear()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert ready.wait(10)
    try:
        yield peer
    finally:
        over.set()
        thread.join()


@dataclass
class Fleet:
    server: Server
    count: int
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)

    def start(self) -> None:
        while len(self.workers) < self.count:
            with (self.server.data / "workers.log").open("ab") as log:
                started = subprocess.Popen(
                    [sys.executable, chaos_worker.__file__, self.server.data, str(FORGE_FAILS)],
                    env={
                        "PATH": os.environ["PATH"],
                        "HOME": str(self.server.data),
                        **self.server.environ,
                    },
                    stdout=log,
                    stderr=log,
                )
            self.workers.append(started)

    def kill(self, chance: random.Random) -> None:
        victim = self.workers.pop(chance.randrange(len(self.workers)))
        victim.kill()
        victim.wait(10)
        self.done["kill -9 of a worker"] += 1
        self.start()

    def hang(self, chance: random.Random) -> None:
        victim = chance.choice(self.workers)
        victim.send_signal(signal.SIGSTOP)
        time.sleep(HANG_SECONDS)
        victim.send_signal(signal.SIGCONT)
        self.done["stopped for longer than its lease"] += 1

    def kill_server(self, _chance: random.Random) -> None:
        self.server.kill()
        self.server.start()
        self.done["kill -9 of the API process"] += 1

    def stop(self) -> None:
        for worker in self.workers:
            worker.send_signal(signal.SIGCONT)
            worker.send_signal(signal.SIGTERM)
        for worker in self.workers:
            try:
                worker.wait(40)
            finally:
                worker.kill()


@pytest.fixture
def peer() -> Iterator[Peer]:
    with failing_model() as started:
        yield started


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def environ(request: pytest.FixtureRequest, peer: Peer) -> dict[str, str]:
    common = {
        "JOURNEYMAN_WORKER_PER_USER": "8",
        "OPENAI_API_KEY": "none",
        "OPENAI_BASE_URL": peer.url,
        "OPENAI_MODEL": "scripted",
    }
    if request.param == "sqlite":
        return common
    cluster: postgres.Cluster = request.getfixturevalue("cluster")
    return {**common, "JOURNEYMAN_DATABASE_URL": cluster.fresh()}


@pytest.fixture
def fleet(tmp_path: Path, environ: dict[str, str]) -> Iterator[Fleet]:
    with ExitStack() as stack:
        server = stack.enter_context(
            running(
                Server(
                    tmp_path / "data",
                    environ,
                    flags=("--no-worker",),
                    start_seconds=BUSY_START_SECONDS,
                )
            )
        )
        made = Fleet(server, WORKERS)
        stack.callback(made.stop)
        made.start()
        yield made


def clients(fleet: Fleet, source: Path) -> list[tuple[str, Client]]:
    """Users, each with a repository."""
    found = []
    for number in range(-(-TASKS // TASKS_PER_USER)):
        told = {"data": fleet.server.data, **fleet.server.environ}
        token = journeyman("token", "create", "--user", f"user{number}", **told)  # type: ignore[arg-type]
        added = journeyman("repo", "add", f"user{number}/hello", str(source), **told)  # type: ignore[arg-type]
        added.check_returncode()
        found.append((f"user{number}/hello", Client(fleet.server.url, token.stdout.strip())))
    return found


def test_every_accepted_task_ends_as_it_should(
    fleet: Fleet, peer: Peer, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    users = clients(fleet, hello(tmp_path / "hello"))
    tasks = []
    for number in range(TASKS):
        repository, client = users[number % len(users)]
        tasks.append(client.create(repository, f"Count {number}", create_pull_request=True))
    faults: list[Callable[[random.Random], None]] = [fleet.kill, fleet.hang, fleet.kill_server]
    if "JOURNEYMAN_DATABASE_URL" in fleet.server.environ:
        faults.append(restarts(request.getfixturevalue("cluster"), fleet))
    chance = random.Random(SEED)
    for number in range(FAULTS):
        time.sleep(chance.uniform(1, 4))
        faults[number % len(faults)](chance)
    ended = [wait(users[n % len(users)][1], task["id"]) for n, task in enumerate(tasks)]
    for number, task in enumerate(ended):
        check(fleet.server.data, task, number)
    check_forge(fleet.server.data, users)
    check_host(fleet.server.data)
    for _, client in users:
        client.http.close()
    kinds = Counter(str(event["type"]) for task in ended for event in task["log"])
    print(
        f"{TASKS} sessions of {STEPS} steps, all completed; {dict(fleet.done)}; "
        f"{dict(peer.done)}; {kinds['session.resume']} resumed, "
        f"{sum(repeated(task) for task in ended)} steps repeated, {sum(kinds.values())} events"
    )


def restarts(cluster: postgres.Cluster, fleet: Fleet) -> Callable[[random.Random], None]:
    def restart(_chance: random.Random) -> None:
        cluster.stop()
        cluster.start()
        fleet.done["immediate restart of PostgreSQL"] += 1

    return restart


def wait(client: Client, task_id: str) -> dict[str, Any]:
    """The task with its log once it has ended; the server may be away meanwhile."""
    deadline = time.monotonic() + 120 + 20 * TASKS
    task: dict[str, Any] = {}
    while time.monotonic() < deadline:
        try:
            task = client.task(task_id)
            if task["state"] in FINAL:
                return {**task, "log": client.events(task_id)}
        except httpx.HTTPError:
            pass
        time.sleep(0.5)
    raise AssertionError(f"still {task}: {client.events(task_id)[-5:]}")


def check(data: Path, task: dict[str, Any], number: int) -> None:
    """Its end, its log without a gap or a repetition, and its branch with the right tree."""
    log = task["log"]
    assert task["state"] == "completed", log[-6:]
    assert [event["id"] for event in log] == [f"1-{n + 1}" for n in range(len(log))]
    kinds = Counter(event["type"] for event in log)
    assert kinds["artifact.created"] == 2
    calls = [e["data"]["toolCallId"] for e in log if e["type"] == "tool.execution_complete"]
    assert len(calls) == len(set(calls)), "a call has two results"
    (branch,) = (a["data"]["head_ref"] for a in task["artifacts"] if a["type"] == "branch")
    bare = data / "repositories" / f"{task['repository']['id']}.git"
    content = git("show", f"{branch}:count-{number}.txt", cwd=bare)
    assert content.split() == [str(n) for n in range(STEPS)], log


def repeated(task: dict[str, Any]) -> int:
    """Commands whose effect was lost with their worker."""
    results = [e for e in task["log"] if e["type"] == "tool.execution_complete"]
    return len(results) - STEPS


def check_forge(data: Path, users: list[tuple[str, Client]]) -> None:
    """Nothing but the branches and pull requests of the tasks, each once."""
    bares = list((data / "repositories").glob("*.git"))
    heads = [git("for-each-ref", "refs/heads", cwd=bare).splitlines() for bare in bares]
    assert sum(map(len, heads)) == TASKS + len(bares)
    pulls = []
    for repository, client in users:
        address = f"/repos/{repository}/pulls?state=all&per_page=100"
        found = client.http.get(address).raise_for_status().json()
        pulls += [(repository, pull["head"]["ref"]) for pull in found]
    assert len(pulls) == len(set(pulls)) == TASKS


def check_host(data: Path) -> None:
    """No workspace, no process of one, nothing half pushed."""
    assert not any((data / "workspaces").glob("[!.]*"))
    assert not any((data / "publishing").iterdir())
    found = subprocess.run(
        ["pgrep", "-f", str(data / "workspaces")], capture_output=True, check=False
    )
    assert found.returncode == 1, found.stdout
