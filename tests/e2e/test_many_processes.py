"""One API process and two workers on one PostgreSQL: work is shared, and survives a worker."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests import postgres
from tests.e2e.conftest import REPOSITORY, clone, hello
from tests.e2e.server import JOURNEYMAN, Client, Server, journeyman, running
from tests.e2e.test_crash import SLOW, wait_for

pytestmark = [pytest.mark.sandbox, pytest.mark.engine, pytest.mark.postgres]


@pytest.fixture(scope="module")
def environ(cluster: postgres.Cluster) -> dict[str, str]:
    return {"JOURNEYMAN_DATABASE_URL": cluster.fresh()}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, environ: dict[str, str]) -> Iterator[Server]:
    data = tmp_path_factory.mktemp("server") / "data"
    with running(Server(data, environ, flags=("--no-worker",))) as started:
        yield started
    print(started.log.read_text())


@pytest.fixture(scope="module")
def token(server: Server, environ: dict[str, str]) -> str:
    made = journeyman("token", "create", "--user", "alice", data=server.data, **environ)
    source = str(hello(server.data.parent / "hello"))
    added = journeyman("repo", "add", REPOSITORY, source, data=server.data, **environ)
    assert added.returncode == 0, added.stderr
    return made.stdout.strip()


@pytest.fixture(scope="module")
def client(server: Server, token: str) -> Iterator[Client]:
    made = Client(server.url, token)
    yield made
    made.http.close()


@contextmanager
def worker(server: Server, name: str, drain_seconds: int = 30) -> Iterator[subprocess.Popen[bytes]]:
    log = server.data / f"{name}.log"
    own = {"JOURNEYMAN_WORKER_DRAIN_SECONDS": str(drain_seconds)}
    with log.open("ab") as file:
        process = subprocess.Popen(
            [JOURNEYMAN, "worker", "--data", server.data],
            env={"PATH": os.environ["PATH"], "HOME": str(server.data), **server.environ, **own},
            stdout=file,
            stderr=file,
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(40)
        finally:
            process.kill()
            print(log.read_text())


def at_work(server: Server, processes: dict[str, subprocess.Popen[bytes]]) -> set[str]:
    """Which workers have a sandbox."""
    found = set()
    for name, process in processes.items():
        below = subprocess.run(
            ["pgrep", "-P", str(process.pid)], capture_output=True, check=False, text=True
        )
        if below.stdout.split():
            found.add(name)
    return found


def test_a_worker_that_is_killed_loses_no_task(
    server: Server, client: Client, token: str, tmp_path: Path
) -> None:
    with worker(server, "one") as one, worker(server, "two") as two:
        made = [client.create(REPOSITORY, SLOW, create_pull_request=True) for _ in range(4)]
        for task in made:
            wait_for(client, task["id"], "tool.execution_start", 2)
        victim = one if "one" in at_work(server, {"one": one}) else two
        victim.send_signal(signal.SIGKILL)
        ended = [client.wait(task["id"], seconds=90) for task in made]
    for number, task in enumerate(ended):
        assert task["state"] == "completed", task["sessions"][0]
        assert [artifact["type"] for artifact in task["artifacts"]] == ["branch", "pull"]
        head = task["artifacts"][0]["data"]["head_ref"]
        tree = clone(server, token, tmp_path / f"clone{number}", head)
        assert (tree / "count.txt").read_text() == "one\ntwo\nthree\n"
    resumed = [
        event
        for task in ended
        for event in client.events(task["id"])
        if event["type"] == "session.resume"
    ]
    assert resumed
    assert not any((server.data / "workspaces").glob("[!.]*"))


def test_a_stream_shows_what_another_process_does_as_it_happens(
    server: Server, client: Client, token: str
) -> None:
    made = client.create(REPOSITORY, "Tick\n\n```sh\nsleep 1; date +%s.%N\n```")
    seen: list[tuple[str, float]] = []

    def read() -> None:
        address = f"{server.url}/agents/tasks/{made['id']}/events"
        headers = {"Authorization": f"Bearer {token}", "Accept": "text/event-stream"}
        with httpx.stream("GET", address, headers=headers, timeout=60) as answer:
            for line in answer.iter_lines():
                seen.append((line, time.time()))

    reading = threading.Thread(target=read)
    reading.start()
    with worker(server, "one"):
        client.wait(made["id"])
        reading.join(30)
    (late,) = [
        at - float(event["data"]["result"]["content"].split()[0])
        for event in client.events(made["id"])
        if event["type"] == "tool.execution_complete" and event["data"]["toolName"] == "bash"
        for line, at in seen
        if line.startswith("data:")
        and event["data"]["result"]["content"].split()[0] in line
        and "tool.execution_complete" in line
    ]
    assert late < 1.0


def test_cancelling_reaches_another_processs_worker(server: Server, client: Client) -> None:
    with worker(server, "one"):
        made = client.create(REPOSITORY, "Sleep\n\n```sh\nsleep 60\n```")
        wait_for(client, made["id"], "tool.execution_start", 1)
        begun = time.monotonic()
        answer = client.http.post(f"/agents/tasks/{made['id']}/cancel")
        assert answer.json()["state"] == "cancelled"
        assert time.monotonic() - begun < 5


def test_a_second_sigterm_hands_over_at_once(server: Server, client: Client) -> None:
    """The first one would wait for as long as the step runs: longer than this test may."""
    with worker(server, "one", drain_seconds=3600) as one:
        made = client.create(REPOSITORY, "Wait\n\n```sh\nsleep 3600\n```")
        wait_for(client, made["id"], "tool.execution_start", 1)
        one.send_signal(signal.SIGTERM)
        with pytest.raises(subprocess.TimeoutExpired):
            one.wait(1)
        assert client.task(made["id"])["state"] == "in_progress"
        one.send_signal(signal.SIGTERM)
        assert one.wait(40) == 0
        with worker(server, "two"):
            wait_for(client, made["id"], "session.resume", 1)
            answer = client.http.post(f"/agents/tasks/{made['id']}/cancel")
            assert answer.json()["state"] == "cancelled"
