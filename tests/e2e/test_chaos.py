"""Processes die and hang at random, the database goes away: every task still ends as it should.

`make chaos` runs the long version: CHAOS_TASKS tasks and CHAOS_FAULTS faults on each database.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from tests import postgres
from tests.conftest import git
from tests.e2e.conftest import REPOSITORY, clone, hello
from tests.e2e.server import FINAL, JOURNEYMAN, Client, Server, journeyman, running

TASKS = int(os.environ.get("CHAOS_TASKS", "4"))
FAULTS = int(os.environ.get("CHAOS_FAULTS", "4"))
WORKERS = int(os.environ.get("CHAOS_WORKERS", "2"))
SEED = int(os.environ.get("CHAOS_SEED", "1"))
STEPS = 8
HANG_SECONDS = 12.0
"""Longer than the lease: others take the runs of a worker that hangs."""

pytestmark = [
    pytest.mark.sandbox,
    pytest.mark.engine,
    pytest.mark.timeout(300 + 30 * TASKS + 30 * FAULTS),
]


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
                    [JOURNEYMAN, "worker", "--data", self.server.data],
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


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def environ(request: pytest.FixtureRequest) -> dict[str, str]:
    if request.param == "sqlite":
        return {}
    cluster: postgres.Cluster = request.getfixturevalue("cluster")
    return {"JOURNEYMAN_DATABASE_URL": cluster.fresh(), "JOURNEYMAN_WORKER_PER_USER": "8"}


@pytest.fixture
def fleet(tmp_path: Path, environ: dict[str, str]) -> Iterator[Fleet]:
    with ExitStack() as stack:
        server = stack.enter_context(
            running(Server(tmp_path / "data", environ, flags=("--no-worker",)))
        )
        made = Fleet(server, WORKERS)
        stack.callback(made.stop)
        made.start()
        yield made


def prompt(number: int) -> str:
    blocks = (f"```sh\necho {step} >> count-{number}.txt; sleep 0.3\n```" for step in range(STEPS))
    return "\n\n".join([f"Count {number}", *blocks])


def test_every_accepted_task_ends_as_it_should(
    fleet: Fleet, environ: dict[str, str], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    data = fleet.server.data
    made = journeyman("token", "create", "--user", "alice", data=data, **environ)
    token = made.stdout.strip()
    source = str(hello(tmp_path / "hello"))
    journeyman("repo", "add", REPOSITORY, source, data=data, **environ).check_returncode()
    client = Client(fleet.server.url, token)
    tasks = [
        client.create(REPOSITORY, prompt(number), create_pull_request=True)
        for number in range(TASKS)
    ]
    faults: list[Callable[[random.Random], None]] = [fleet.kill, fleet.hang, fleet.kill_server]
    if environ:
        faults.append(restarts(request.getfixturevalue("cluster"), fleet))
    chance = random.Random(SEED)
    for number in range(FAULTS):
        time.sleep(chance.uniform(1, 4))
        faults[number % len(faults)](chance)
    ended = [wait(client, task["id"]) for task in tasks]
    for number, task in enumerate(ended):
        check(fleet.server, client, task, number, token, tmp_path / f"clone{number}")
    client.http.close()
    bare = next((data / "repositories").glob("*.git"))
    assert len(git("for-each-ref", "refs/heads", cwd=bare).splitlines()) == TASKS + 1
    assert not any((data / "workspaces").iterdir())
    resumed = sum(
        event["type"] == "session.resume" for task in ended for event in client_events(task)
    )
    print(f"{TASKS} tasks of {STEPS} steps, {dict(fleet.done)}, {resumed} resumed")


def restarts(cluster: postgres.Cluster, fleet: Fleet) -> Callable[[random.Random], None]:
    def restart(_chance: random.Random) -> None:
        cluster.stop()
        cluster.start()
        fleet.done["immediate restart of PostgreSQL"] += 1

    return restart


def wait(client: Client, task_id: str) -> dict[str, object]:
    """The task with its log once it has ended; the server may be away meanwhile."""
    deadline = time.monotonic() + 120 + 20 * TASKS
    while time.monotonic() < deadline:
        try:
            task = client.task(task_id)
            if task["state"] in FINAL:
                return {**task, "log": client.events(task_id)}
        except httpx.HTTPError:
            pass
        time.sleep(0.5)
    raise AssertionError(f"still {task['state']}: {client.events(task_id)[-5:]}")


def client_events(task: dict[str, object]) -> list[dict[str, object]]:
    return task["log"]  # type: ignore[return-value]


def check(
    server: Server, client: Client, task: dict[str, object], number: int, token: str, path: Path
) -> None:
    log = client_events(task)
    assert task["state"] == "completed", log[-6:]
    kinds = Counter(event["type"] for event in log)
    assert kinds["artifact.created"] == 2
    starts = [e["data"]["toolCallId"] for e in log if e["type"] == "tool.execution_complete"]  # type: ignore[index]
    assert len(starts) == len(set(starts)), "a call has two results"
    artifacts: list[dict[str, dict[str, str]]] = task["artifacts"]  # type: ignore[assignment]
    tree = clone(server, token, path, artifacts[0]["data"]["head_ref"])
    assert (tree / f"count-{number}.txt").read_text().split() == [str(n) for n in range(STEPS)]
