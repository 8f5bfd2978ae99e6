"""Processes die and hang at random, the database, the model and the forge fail: every task still
ends as it should.

`make chaos` runs the long version: CHAOS_TASKS tasks and CHAOS_FAULTS faults with each forge on
each database.
"""

from __future__ import annotations

import os
import random
import re
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from journeyman.cli.follow import Entry, parse
from journeyman.store.database import sqlite_url
from tests import postgres
from tests.conftest import git
from tests.e2e.conftest import hello
from tests.e2e.fleet import Fleet
from tests.e2e.forges import Embedded, Forge, on_github
from tests.e2e.server import FINAL, Client, Server, running
from tests.peers.in_a_thread import in_a_thread
from tests.peers.model_server import Cut, Fault, Json, ModelServer, Reset, Say, Stall, Status
from tests.peers.road import Road

TASKS = int(os.environ.get("CHAOS_TASKS", "4"))
FAULTS = int(os.environ.get("CHAOS_FAULTS", "0"))
"""0: each kind once."""
WORKERS = int(os.environ.get("CHAOS_WORKERS", "2"))
SEED = int(os.environ.get("CHAOS_SEED", "1"))
SERVERS = 2
STEPS = 8
TASKS_PER_USER = 50
"""Below what one user may write in a minute."""
READ_ALONG = 10
"""Tasks whose live streams are read while everything fails."""
BUSY_START_SECONDS = 180.0
"""Many sandboxes are at work beside a process that starts again."""
FORGE_FAILS, MODEL_FAILS = {"embedded": 0.03, "github": 0.03 if FAULTS else 0.12}, 0.1
"""Of all requests; a few tasks would not meet much of an API otherwise."""
LOST = ("Interrupted:", "Not run:", "what this changed is gone")
"""What a result says whose command must be repeated."""
GIVEN = ["hello.py", "test_hello.py"]
"""The files of the repository."""
SWEPT_SECONDS = 30.0
AWAY = 503
"""What an API process answers while the database is away, or the forge."""
SILENCE_SECONDS = 20.0
"""A stream that says nothing for so long, not even that it lives, is begun anew."""


class Kinds(NamedTuple):
    """Of the world that fails."""

    database: str
    forge: str


SQLITE = pytest.param(Kinds("sqlite", "embedded"), id="sqlite")
POSTGRESQL = pytest.param(
    Kinds("postgresql", "github"),
    id="postgresql-github",
    marks=[pytest.mark.postgres, pytest.mark.npm],
)
REST = [
    pytest.param(Kinds("sqlite", "github"), id="sqlite-github", marks=pytest.mark.npm),
    pytest.param(Kinds("postgresql", "embedded"), id="postgresql", marks=pytest.mark.postgres),
]
"""What only the long version has."""

pytestmark = [
    pytest.mark.parametrize("kinds", [SQLITE, POSTGRESQL, *(REST if FAULTS else [])]),
    pytest.mark.sandbox,
    pytest.mark.engine,
    pytest.mark.timeout(300 + 30 * TASKS + 30 * FAULTS),
]


def turn(_number: int, request: Json) -> Say:
    """The model asks for one step after the other: the next is that after all whose results
    stand."""
    results = [str(one["content"]) for one in request["messages"] if one["role"] == "tool"]
    step = sum(not any(said in result for said in LOST) for result in results)
    if step == STEPS:
        return Say("All steps are taken.")
    told = re.search(r"Count (\d+)", str(request["messages"]))
    assert told is not None
    command = f"echo {step} >> count-{told[1]}.txt; sleep 0.5"
    return Say(calls=[("bash", {"command": command})])


class Peer(ModelServer):
    """A model that fails at random, and counts how."""

    def __init__(self) -> None:
        super().__init__(turn, remembers=False)
        self.done = Counter[str]()
        self.chance = self._fault
        self._random = random.Random(SEED)
        self._faults: tuple[Fault, ...] = (
            Status(429, headers={"Retry-After": "1"}),
            Status(500),
            Reset(2),
            Stall(2, seconds=1.0),
            Cut(2),
        )

    def _fault(self) -> Fault | None:
        if self._random.random() >= MODEL_FAILS:
            return None
        chosen = self._random.choice(self._faults)
        self.done[f"{type(chosen).__name__} {getattr(chosen, 'code', '')}".strip()] += 1
        return chosen


@pytest.fixture
def peer() -> Iterator[Peer]:
    made = Peer()
    with in_a_thread(made):
        yield made


@pytest.fixture
def cluster_or_none(request: pytest.FixtureRequest, kinds: Kinds) -> postgres.Cluster | None:
    return None if kinds.database == "sqlite" else request.getfixturevalue("cluster")


@pytest.fixture
def planned(
    tmp_path: Path, peer: Peer, cluster_or_none: postgres.Cluster | None
) -> Sequence[Server]:
    """Not started: where they will be must be known before."""
    data = tmp_path / "data"
    data.mkdir()
    environ = {
        "JOURNEYMAN_DATABASE_URL": cluster_or_none.fresh() if cluster_or_none else sqlite_url(data),
        "JOURNEYMAN_WORKER_PER_USER": "8",
        "OPENAI_API_KEY": "none",
        "OPENAI_BASE_URL": peer.base_url,
        "OPENAI_MODEL": "scripted",
    }
    flags = ("--no-worker",)
    return [Server(data, environ, flags, start_seconds=BUSY_START_SECONDS) for _ in range(SERVERS)]


@pytest.fixture
def forge(
    request: pytest.FixtureRequest, kinds: Kinds, planned: Sequence[Server], tmp_path: Path
) -> Iterator[Forge]:
    if kinds.forge == "embedded":
        yield Embedded(planned)
        return
    description = request.getfixturevalue("github_description")
    with on_github(tmp_path / "github", description, planned) as made:
        yield made


@pytest.fixture
def road(kinds: Kinds, planned: Sequence[Server], forge: Forge) -> Iterator[Road]:
    fails = FORGE_FAILS[kinds.forge]
    with in_a_thread(Road(forge.ports, fails, random.Random(SEED))) as made:
        for server in planned:
            server.environ.update(forge.reached(made.url))
        yield made


@pytest.fixture
def servers(planned: Sequence[Server], road: Road) -> Iterator[Sequence[Server]]:
    with ExitStack() as stack:
        yield [stack.enter_context(running(server)) for server in planned]


@pytest.fixture
def fleet(servers: Sequence[Server]) -> Iterator[Fleet]:
    made = Fleet(servers)
    try:
        made.start(WORKERS)
        yield made
    finally:
        made.stop()


@dataclass
class User:
    """Asks either API process, again when nobody answers; reads along with some tasks."""

    repository: str
    clients: Sequence[Client]
    tasks: dict[int, str] = field(default_factory=dict)
    """By what they are to count."""
    seen: dict[int, list[str]] = field(default_factory=dict)
    """The ids of the entries that a live stream has told, in their order."""

    def create(self, number: int) -> None:
        """Once, however often it has to be asked."""
        body = {"prompt": f"Count {number}", "create_pull_request": True}
        path, key = f"/agents/repos/{self.repository}/tasks", {"Idempotency-Key": f"task-{number}"}
        for client in cycle(self.clients):
            try:
                answer = client.http.post(path, json=body, headers=key, timeout=5)
            except httpx.HTTPError:
                time.sleep(0.2)
                continue
            if answer.status_code == 201:
                self.tasks[number] = answer.json()["id"]
                return
            assert answer.status_code == AWAY, answer.text
            time.sleep(0.2)

    def read_along(self, number: int) -> None:
        """From one process, then from another, each time after what was read last."""
        ids = self.seen.setdefault(number, [])
        for client in cycle(self.clients):
            with suppress(httpx.HTTPError):
                for entry in self._told(client, self.tasks[number], ids):
                    if entry.cursor is not None:
                        ids.append(str(entry.cursor))
                    if entry.type == "session.state_changed" and entry.data["state"] in FINAL:
                        return
            time.sleep(0.2)

    def _told(self, client: Client, task_id: str, had: list[str]) -> Iterator[Entry]:
        """As they come: the client of the other requests reads answers whole."""
        headers = {
            "Authorization": client.http.headers["Authorization"],
            "Accept": "text/event-stream",
            "Last-Event-ID": had[-1] if had else "",
        }
        url = client.http.base_url.join(f"/agents/tasks/{task_id}/events")
        timeout = httpx.Timeout(5, read=SILENCE_SECONDS)
        with httpx.stream("GET", url, headers=headers, timeout=timeout) as answer:
            yield from parse(answer.raise_for_status().iter_lines())

    def wait(self, number: int) -> dict[str, Any]:
        """The task with its log once it has ended."""
        deadline, task = time.monotonic() + 120 + 20 * TASKS, dict[str, Any]()
        for client in cycle(self.clients):
            try:
                task = client.task(self.tasks[number])
                if task["state"] in FINAL:
                    return {**task, "log": client.events(self.tasks[number])}
            except httpx.HTTPError:
                pass
            assert time.monotonic() < deadline, f"still {task}"
            time.sleep(0.5)
        raise AssertionError("unreachable: there is always another one to be asked")

    def close(self) -> None:
        for client in self.clients:
            client.http.close()


@pytest.fixture
def users(servers: Sequence[Server], forge: Forge, tmp_path: Path) -> Iterator[list[User]]:
    """Each with a repository."""
    source, made = hello(tmp_path / "hello"), list[User]()
    for number in range(-(-TASKS // TASKS_PER_USER)):
        token = forge.add(f"user{number}", source)
        clients = [Client(server.url, token, also=(AWAY,)) for server in servers]
        made.append(User(f"user{number}/hello", clients))
    yield made
    for user in made:
        user.close()


def test_every_accepted_task_ends_as_it_should(
    fleet: Fleet,
    forge: Forge,
    users: list[User],
    peer: Peer,
    road: Road,
    cluster_or_none: postgres.Cluster | None,
) -> None:
    readers = list[threading.Thread]()

    def ask() -> None:
        for number in range(TASKS):
            user = users[number % len(users)]
            user.create(number)
            if len(readers) < READ_ALONG:
                readers.append(threading.Thread(target=user.read_along, args=(number,)))
                readers[-1].start()

    asking = threading.Thread(target=ask)
    asking.start()
    chance, troubles = random.Random(SEED), fleet.troubles(cluster_or_none)
    for number in range(FAULTS or len(troubles)):
        time.sleep(chance.uniform(1, 4))
        troubles[number % len(troubles)](chance)
    fleet.wake()
    asking.join()
    ended = [users[number % len(users)].wait(number) for number in range(TASKS)]
    for reader in readers:
        reader.join()
    for number, task in enumerate(ended):
        check(forge.bares, task, number)
    check_readers(users, ended)
    check_forge(forge, users, ended)
    # What a worker left that was killed is removed by the next one there, when it starts.
    fleet.renew()
    for place in fleet.places:
        check_host(place)
    kinds = Counter(str(event["type"]) for task in ended for event in task["log"])
    print(
        f"{TASKS} sessions of {STEPS} steps, all completed; {dict(fleet.done)}; "
        f"model: {dict(peer.done)}; forge: {dict(road.done)}; "
        f"{kinds['session.resume']} resumed, {sum(map(parked, ended))} parked, "
        f"{sum(map(repeated, ended))} steps repeated; {sum(kinds.values())} events, "
        f"{sum(len(ids) for user in users for ids in user.seen.values())} of them read along"
    )


def check(bares: Path, task: dict[str, Any], number: int) -> None:
    """Its end, its log without a gap or a repetition, and its branch with the right tree."""
    log = task["log"]
    assert task["state"] == "completed", log[-6:]
    assert [event["id"] for event in log] == [f"1-{n + 1}" for n in range(len(log))]
    kinds = Counter(event["type"] for event in log)
    assert kinds["artifact.created"] == 2
    assert kinds["session.start"] == kinds["user.message"] == 1
    calls = [e["data"]["toolCallId"] for e in log if e["type"] == "tool.execution_complete"]
    assert len(calls) == len(set(calls)), "a call has two results"
    bare, branch = bares / f"{task['repository']['id']}.git", head_ref(task)
    content = git("show", f"{branch}:count-{number}.txt", cwd=bare)
    assert content.split() == [str(n) for n in range(STEPS)], log
    tree = git("ls-tree", "-r", "--name-only", branch, cwd=bare)
    assert tree.split() == sorted([*GIVEN, f"count-{number}.txt"])


def head_ref(task: dict[str, Any]) -> str:
    (branch,) = (a["data"]["head_ref"] for a in task["artifacts"] if a["type"] == "branch")
    return str(branch)


def repeated(task: dict[str, Any]) -> int:
    """Commands whose effect was lost with their worker."""
    results = [e for e in task["log"] if e["type"] == "tool.execution_complete"]
    return len(results) - STEPS


def parked(task: dict[str, Any]) -> int:
    """How often it waited for the forge."""
    states = (e["data"] for e in task["log"] if e["type"] == "session.state_changed")
    return sum(data["state"] == "idle" for data in states)


def check_readers(users: list[User], ended: list[dict[str, Any]]) -> None:
    """Whoever read along has every entry, once."""
    for user in users:
        for number, ids in user.seen.items():
            assert ids == [event["id"] for event in ended[number]["log"]]


def check_forge(forge: Forge, users: list[User], ended: list[dict[str, Any]]) -> None:
    """Nothing but the branches and pull requests of the tasks, each once and ready for review."""
    bares = list(forge.bares.glob("*.git"))
    heads = [git("for-each-ref", "refs/heads", cwd=bare).splitlines() for bare in bares]
    assert sum(map(len, heads)) == TASKS + len(bares)
    made = [(users[n % len(users)].repository, head_ref(t), False) for n, t in enumerate(ended)]
    assert sorted(forge.pulls()) == sorted(made)


def check_host(place: Path) -> None:
    """No workspace, no process of one, no mount, nothing half pushed."""
    deadline = time.monotonic() + SWEPT_SECONDS
    while any((place / "workspaces").iterdir() if (place / "workspaces").exists() else ()):
        assert time.monotonic() < deadline, list((place / "workspaces").iterdir())
        time.sleep(0.2)
    assert not any((place / "publishing").glob("*"))
    assert str(place / "workspaces") not in Path("/proc/self/mounts").read_text()
    found = subprocess.run(
        ["pgrep", "-f", str(place / "workspaces")], capture_output=True, check=False
    )
    assert found.returncode == 1, found.stdout
