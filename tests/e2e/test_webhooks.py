"""From `journeyman hook create` to the receiver of docs/webhooks.md, with a real server."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import REPOSITORY
from tests.e2e.server import JOURNEYMAN, Client, Server, free_port, journeyman

pytestmark = [pytest.mark.sandbox, pytest.mark.engine]

PAGE = Path(__file__).parents[2] / "docs" / "webhooks.md"
SECRET = "known to two"


@dataclass
class Example:
    """The receiver of the page, running."""

    url: str
    said: Path

    @property
    def lines(self) -> list[str]:
        return self.said.read_text().splitlines()


@pytest.fixture
def example(tmp_path: Path) -> Iterator[Example]:
    (program,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)
    port, said = free_port(), tmp_path / "said"
    with said.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-c", program],
            env={"PATH": os.environ["PATH"], "SECRET": SECRET, "PORT": str(port)},
            stdout=out,
            stderr=subprocess.DEVNULL,
        )
    yield Example(f"http://127.0.0.1:{port}/hook", said)
    process.terminate()
    process.wait(10)


def until(wanted: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 60
    while not (found := wanted()):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return found


def hook(server: Server, token: str, *arguments: str, given: str = "") -> str:
    done = subprocess.run(
        [JOURNEYMAN, "hook", *arguments],
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(server.data),
            "JOURNEYMAN_URL": server.url,
            "JOURNEYMAN_TOKEN": token,
        },
        input=given,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_receiver_is_told_what_becomes_of_a_task(
    server: Server, token: str, client: Client, example: Example
) -> None:
    made = hook(
        server, token, "create", REPOSITORY, example.url, "--secret-stdin", given=f"{SECRET}\n"
    )
    number = re.findall(r"webhook (\d+)", made)[0]
    several = f"/repos/{REPOSITORY}/agents/hooks/{number}/deliveries"
    task = client.create(REPOSITORY, "Say it\n\n```sh\necho it > it\n```\n")
    until(lambda: f"{task['id']} completed" in example.lines)
    told = [line.split()[1] for line in example.lines if line.startswith(task["id"])]
    assert told == ["created", "in_progress", "completed"]
    listed = until(
        lambda: [one for one in client.http.get(several).json() if one["status_code"] == 204]
    )
    assert example.url in hook(server, token, "list", REPOSITORY)
    assert "agent_task.created" in hook(server, token, "deliveries", REPOSITORY, number)
    count = len(client.http.get(several).json())
    hook(server, token, "redeliver", REPOSITORY, number, str(listed[0]["id"]))
    until(lambda: len(client.http.get(several).json()) > count)
    assert len([line for line in example.lines if line.startswith(task["id"])]) == 3
    hook(server, token, "delete", REPOSITORY, number)
    assert client.http.get(f"/repos/{REPOSITORY}/agents/hooks").json() == []
    audit = journeyman("audit", "--action", "hook", "--actor", "alice", data=server.data)
    assert audit.returncode == 0, audit.stderr
    for action in ("hook.create", "hook.redeliver", "hook.destroy"):
        assert action in audit.stdout
    assert SECRET not in audit.stdout
    assert SECRET not in server.log.read_text()
