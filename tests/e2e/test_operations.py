"""A server's whole state is taken elsewhere while it works: the unfinished is finished there. Its
code is gone by then, as after an upgrade under its feet."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

import journeyman as journeyman_package
from tests import postgres
from tests.conftest import git
from tests.e2e.conftest import REPOSITORY, clone, hello
from tests.e2e.server import Client, Server, journeyman, running
from tests.e2e.test_crash import SLOW, wait_for

pytestmark = [pytest.mark.sandbox, pytest.mark.engine]

QUICK = "Greet\n\n```sh\necho hello > greeting.txt\n```\n"


class Past:
    """What one server has come to, and left behind when it was killed."""

    def __init__(self, data: Path, token: str) -> None:
        self.data = data
        self.token = token
        self.backup = data.parent / "backup.tar.gz"
        self.done: dict[str, Any] = {}
        self.begun: list[str] = []


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Past:
    place = tmp_path_factory.mktemp("operations")
    code = shutil.copytree(Path(journeyman_package.__path__[0]).parent, place / "src")
    environ = {"JOURNEYMAN_WORKER_PER_USER": "1", "PYTHONPATH": str(code)}
    with running(Server(place / "data", environ)) as server:
        shutil.rmtree(code)
        made = journeyman("token", "create", "--user", "alice", data=server.data)
        source = str(hello(place / "hello"))
        journeyman("repo", "add", REPOSITORY, source, data=server.data)
        past = Past(server.data, made.stdout.strip())
        client = Client(server.url, past.token)
        past.done = client.create(REPOSITORY, QUICK, create_pull_request=True)
        past.done = client.wait(past.done["id"])
        assert past.done["state"] == "completed"
        past.begun = [client.create(REPOSITORY, SLOW)["id"] for _ in range(2)]
        wait_for(client, past.begun[0], "tool.execution_start", 2)
        taken = journeyman("backup", str(past.backup), data=server.data)
        assert taken.returncode == 0, taken.stderr
        refused = journeyman("copy-database", "--to", "postgresql://x/y", data=server.data)
        assert refused.returncode == 1
        assert "stop the server" in refused.stderr
        client.http.close()
        server.kill()
    return past


def finishes(server: Server, past: Past, tmp_path: Path) -> None:
    """All that was unfinished, and nothing of the rest is gone."""
    client = Client(server.url, past.token)
    try:
        for number, task_id in enumerate(past.begun):
            task = client.wait(task_id, seconds=90)
            assert task["state"] == "completed", task["sessions"][0]
            branch = task["artifacts"][0]["data"]["head_ref"]
            tree = clone(server, past.token, tmp_path / f"clone{number}", branch)
            assert (tree / "count.txt").read_text() == "one\ntwo\nthree\n"
        done = client.task(past.done["id"])
        assert done["artifacts"] == past.done["artifacts"]
        branch = done["artifacts"][0]["data"]["head_ref"]
        tree = clone(server, past.token, tmp_path / "done", branch)
        assert (tree / "greeting.txt").read_text() == "hello\n"
        again = client.wait(client.create(REPOSITORY, QUICK)["id"])
        assert again["state"] == "completed"
    finally:
        client.http.close()


def test_a_backup_of_a_working_server_goes_on_elsewhere(past: Past, tmp_path: Path) -> None:
    data = tmp_path / "data"
    brought = journeyman("restore", str(past.backup), data=data)
    assert brought.returncode == 0, brought.stderr
    again = journeyman("restore", str(past.backup), data=data)
    assert again.returncode == 1
    assert "not empty" in again.stderr
    with running(Server(data)) as server:
        finishes(server, past, tmp_path)
        print(server.log.read_text())


@pytest.mark.postgres
def test_a_database_that_was_copied_goes_on_there(
    past: Past, tmp_path: Path, cluster: postgres.Cluster
) -> None:
    data, url = tmp_path / "data", cluster.fresh()
    shutil.copytree(past.data, data)
    git("fsck", cwd=data / "repositories" / "1.git")
    copied = journeyman("copy-database", "--to", url, data=data)
    assert copied.returncode == 0, copied.stderr
    assert "are the same in both" in copied.stderr
    forgotten = journeyman("token", "create", "--user", "alice", data=data)
    assert forgotten.returncode == 1
    assert "JOURNEYMAN_DATABASE_URL" in forgotten.stderr
    with running(Server(data, {"JOURNEYMAN_DATABASE_URL": url})) as server:
        finishes(server, past, tmp_path)
        print(server.log.read_text())
