"""A server that is killed in the middle of a task, and started again, finishes it."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import git
from tests.e2e.conftest import REPOSITORY, clone, hello
from tests.e2e.server import Client, Server, journeyman, running

pytestmark = [pytest.mark.sandbox, pytest.mark.engine]

SLOW = """Count

```sh
echo one >> count.txt
```

```sh
echo two >> count.txt
sleep 3
```

```sh
echo three >> count.txt
```
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with running(Server(tmp_path / "data")) as started:
        yield started
    print(started.log.read_text())


@pytest.fixture
def token(server: Server, tmp_path: Path) -> str:
    token = journeyman("token", "create", "--user", "alice", data=server.data).stdout.strip()
    added = journeyman("repo", "add", REPOSITORY, str(hello(tmp_path / "hello")), data=server.data)
    assert added.returncode == 0, added.stderr
    return token


@pytest.fixture
def client(server: Server, token: str) -> Iterator[Client]:
    made = Client(server.url, token)
    yield made
    made.http.close()


def wait_for(client: Client, task_id: str, kind: str, count: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if sum(event["type"] == kind for event in client.events(task_id)) >= count:
            return
        time.sleep(0.05)
    raise AssertionError(f"never saw {count} {kind}")


# Every station of the walk, by single workers: integration/engine/test_stations.py.
@pytest.mark.parametrize(
    ("kind", "count"),
    [
        ("assistant.turn_start", 1),
        ("tool.execution_start", 2),
        ("workspace.checkpoint", 1),
        ("artifact.created", 1),
    ],
)
def test_a_killed_server_finishes_its_task_when_it_is_started_again(
    server: Server, client: Client, token: str, tmp_path: Path, kind: str, count: int
) -> None:
    made = client.create(REPOSITORY, SLOW, create_pull_request=True)
    wait_for(client, made["id"], kind, count)
    server.kill()
    server.start()
    task = client.wait(made["id"], seconds=60)
    assert task["state"] == "completed", task["sessions"][0]
    assert [artifact["type"] for artifact in task["artifacts"]] == ["branch", "pull"]
    head = task["artifacts"][0]["data"]["head_ref"]
    tree = clone(server, token, tmp_path / "clone", head)
    assert (tree / "count.txt").read_text() == "one\ntwo\nthree\n"
    heads = git("ls-remote", "--heads", "origin", cwd=tree).splitlines()
    assert len(heads) == 2
    assert_nothing_is_left(server)


def assert_nothing_is_left(server: Server) -> None:
    assert not any((server.data / "workspaces").glob("[!.]*"))
    found = subprocess.run(
        ["pgrep", "-f", str(server.data / "workspaces")], capture_output=True, check=False
    )
    assert found.returncode == 1, found.stdout


def test_a_stopped_server_hands_over_and_another_start_finishes_the_task(
    server: Server, client: Client
) -> None:
    made = client.create(REPOSITORY, SLOW)
    wait_for(client, made["id"], "tool.execution_start", 2)
    before = window(client)
    assert server.stop() == 0
    server.start()
    assert window(client) >= before > (0, 0)
    assert client.wait(made["id"], seconds=60)["state"] == "completed"
    # The step that ran was waited for: no block was run twice, and the report once.
    kinds = [event["type"] for event in client.events(made["id"])]
    assert kinds.count("tool.execution_start") == kinds.count("tool.execution_complete") == 4
    assert kinds.count("session.resume") == 1


def window(client: Client) -> tuple[int, int]:
    """Its end in Unix seconds, and what the client has used of it."""
    rate = client.http.get("/rate_limit").json()["rate"]
    return rate["reset"], rate["used"]


def test_a_task_that_was_accepted_before_the_kill_is_not_lost(
    server: Server, client: Client
) -> None:
    made = [client.create(REPOSITORY, "```sh\ntrue\n```") for _ in range(3)]
    server.kill()
    server.start()
    assert {client.wait(task["id"])["state"] for task in made} == {"completed"}
