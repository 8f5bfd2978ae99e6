"""The code before the newest migration, taken from the history, serves a database that this
version has migrated: a fleet is replaced one process after the other.
"""

from __future__ import annotations

import subprocess
import tarfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest

from journeyman.store import migrate, migrations
from tests.conftest import EACH_DATABASE
from tests.e2e.conftest import REPOSITORY, hello
from tests.e2e.server import Client, Server, journeyman, running

VERSIONS = Path(migrations.__path__[0]) / "versions"
ROOT = Path(__file__).parents[2]


def git(*arguments: str) -> bytes:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"there is no history here: {done.stderr.decode()}")
    return done.stdout


@pytest.fixture
def before(tmp_path: Path) -> dict[str, str]:
    """The environment in which the command is the one of the version before."""
    (newest,) = VERSIONS.glob(f"{migrate.newest()}_*.py")
    added = git("log", "--diff-filter=A", "--format=%H", "--", str(newest.relative_to(ROOT)))
    if not (commits := added.decode().split()):
        pytest.skip("the newest migration is not committed, or its commit is not here")
    with tarfile.open(fileobj=BytesIO(git("archive", f"{commits[-1]}^", "src"))) as archive:
        archive.extractall(tmp_path / "before", filter="data")
    return {"PYTHONPATH": str(tmp_path / "before" / "src")}


@pytest.fixture
def server(tmp_path: Path, before: dict[str, str], database_url: str) -> Iterator[Server]:
    environ = {**before, "JOURNEYMAN_DATABASE_URL": database_url}
    with running(Server(tmp_path / "data", environ, flags=("--no-worker",))) as started:
        yield started


@EACH_DATABASE
def test_the_version_before_serves_what_this_one_has_migrated(
    server: Server, before: dict[str, str], tmp_path: Path
) -> None:
    assert "schema.newer" in server.log.read_text()
    token = journeyman("token", "create", "--user", "alice", data=server.data, **server.environ)
    source = str(hello(tmp_path / "hello"))
    added = journeyman("repo", "add", REPOSITORY, source, data=server.data, **server.environ)
    added.check_returncode()
    client = Client(server.url, token.stdout.strip())
    made = client.create(REPOSITORY, "Do it", create_pull_request=True)
    steer = client.http.post(f"/agents/tasks/{made['id']}/steer", json={"content": "Also that"})
    assert steer.status_code == 200
    assert client.http.post(f"/agents/tasks/{made['id']}/cancel").json()["state"] == "cancelled"
    assert len(client.events(made["id"])) > 0
    # What one version has written, the other one reads.
    client.http.close()
    here = {name: value for name, value in server.environ.items() if name not in before}
    now = journeyman("token", "list", "--json", data=server.data, **here)
    assert '"alice"' in now.stdout, now.stderr
