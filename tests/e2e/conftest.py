"""A server with one repository, shared by the tests; each test makes its own tasks."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import git
from tests.e2e.server import Client, Server, journeyman, running

REPOSITORY = "alice/hello"
LOCAL_RECEIVERS = {"JOURNEYMAN_WEBHOOKS_ALLOWED_NETWORKS": "127.0.0.0/8"}


@pytest.fixture(scope="session")
def place() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="journeyman-e2e-"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


def hello(path: Path) -> Path:
    """A program with a bug, and a test that shows it."""
    path.mkdir()
    git("init", "-q", "-b", "main", cwd=path)
    (path / "hello.py").write_text('def greet(name):\n    return "Hello " + nam\n')
    (path / "test_hello.py").write_text(
        "import unittest\nfrom hello import greet\n\n\n"
        "class Greets(unittest.TestCase):\n"
        "    def test_by_name(self):\n"
        '        self.assertEqual(greet("Ada"), "Hello Ada")\n'
    )
    git("add", "-A", cwd=path)
    git("commit", "-qm", "Say hello", cwd=path)
    return path


@pytest.fixture(scope="session")
def server(place: Path) -> Iterator[Server]:
    with running(Server(place / "data", LOCAL_RECEIVERS)) as started:
        yield started


@pytest.fixture(scope="session")
def token(server: Server, place: Path) -> str:
    """Alice's; the repository is hers."""
    made = journeyman("token", "create", "--user", "alice", data=server.data)
    assert made.returncode == 0, made.stderr
    added = journeyman("repo", "add", REPOSITORY, str(hello(place / "hello")), data=server.data)
    assert added.returncode == 0, added.stderr
    return made.stdout.strip()


@pytest.fixture(scope="session")
def client(server: Server, token: str) -> Iterator[Client]:
    made = Client(server.url, token)
    yield made
    made.http.close()


def clone(server: Server, token: str, path: Path, branch: str = "main") -> Path:
    """With git's own client, over HTTP."""
    address = server.url.replace("http://", f"http://alice:{token}@")
    git("clone", "-q", "-b", branch, f"{address}/{REPOSITORY}.git", str(path), cwd=Path(os.sep))
    return path
