"""A worker's machine is destroyed with its disk: another machine finishes what it had begun, with
the same files. What they share is the database, and the server's git over HTTP.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from tests import postgres
from tests.e2e.conftest import REPOSITORY, clone, hello
from tests.e2e.machines import NETWORK, machine, require_machines
from tests.e2e.server import Client, Server, journeyman, running
from tests.e2e.test_crash import wait_for

pytestmark = [
    *(pytest.mark.sandbox, pytest.mark.engine, pytest.mark.postgres),
    *(pytest.mark.root, pytest.mark.usefixtures("machines")),
]

PROMPT = """Make files

```sh
head -c 300000 /dev/urandom > random.bin
sha256sum random.bin
```

```sh
mkdir -p deep/er && echo kept > deep/er/file && git add deep && git commit -qm Deep
sleep 5
```

```sh
sha256sum random.bin
```
"""


@pytest.fixture(scope="module")
def machines() -> None:
    require_machines()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with postgres.running(network=NETWORK) as cluster:
        assert cluster is not None
        environ = {
            "JOURNEYMAN_DATABASE_URL": cluster.url(),
            "JOURNEYMAN_SERVER_HOST": "0.0.0.0",
        }
        with running(Server(tmp_path / "data", environ, flags=("--no-worker",))) as started:
            yield started
        print(started.log.read_text())


def test_another_machine_goes_on_with_the_files_of_one_that_is_gone(
    machines: None, server: Server, tmp_path: Path
) -> None:
    told = {"data": server.data, **server.environ}
    token = journeyman("token", "create", "--user", "alice", **told).stdout.strip()  # type: ignore[arg-type]
    source = str(hello(tmp_path / "hello"))
    journeyman("repo", "add", REPOSITORY, source, **told).check_returncode()  # type: ignore[arg-type]
    client = Client(server.url, token)
    database = server.environ["JOURNEYMAN_DATABASE_URL"].replace("127.0.0.1", "{host}")
    worker = ("worker", "--database", database, "--server", f"http://{{host}}:{server.port}")
    with (
        machine(1, tmp_path, server.data, *worker) as one,
        machine(2, tmp_path, server.data, *worker) as two,
    ):
        one.wait_for("worker.ready")
        two.wait_for("worker.ready")
        made = client.create(REPOSITORY, PROMPT, create_pull_request=True)
        wait_for(client, made["id"], "workspace.checkpoint", 1)
        wait_for(client, made["id"], "tool.execution_start", 2)
        holder = one if "run.begun" in one.log.read_text() else two
        holder.destroy()
        task = client.wait(made["id"], seconds=90)
    assert task["state"] == "completed", task["sessions"][0]
    assert [artifact["type"] for artifact in task["artifacts"]] == ["branch", "pull"]
    log = client.events(made["id"])
    client.http.close()
    assert any(event["type"] == "session.resume" for event in log)
    told_sums = re.findall(r"[0-9a-f]{64}(?=  random\.bin)", str(log))
    tree = clone(server, token, tmp_path / "clone", task["artifacts"][0]["data"]["head_ref"])
    assert sha256((tree / "random.bin").read_bytes()).hexdigest() in told_sums
    assert len(set(told_sums)) == 1
    assert (tree / "deep/er/file").read_text() == "kept\n"
    # Neither has left anything on the host, nor seen the server's disk.
    assert not any(one.disk.iterdir())
    assert not any(two.disk.iterdir())
    assert not (server.data / "workspaces").exists()
