"""A session is recorded from one server and runs again on another, without its model."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.e2e.conftest import REPOSITORY, clone
from tests.e2e.server import JOURNEYMAN, Client, Server

pytestmark = [pytest.mark.sandbox, pytest.mark.engine]

PROMPT = """Mend the greeting
```sh
sed -i 's/nam$/name/' hello.py && cat hello.py
```
```ask
Which greeting?
```
```sh
cat /proc/sys/kernel/random/uuid; echo the end
```
"""


def command(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [JOURNEYMAN, *arguments],
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", **environ},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


@pytest.fixture(scope="module")
def recording(server: Server, client: Client, token: str, place: Path) -> Path:
    made = client.create(REPOSITORY, PROMPT)
    client.wait(made["id"], "waiting_for_user")
    answered = client.http.post(f"/agents/tasks/{made['id']}/steer", json={"content": "hello"})
    assert answered.status_code < 300, answered.text
    assert client.wait(made["id"])["state"] == "completed"
    path = place / "session.jsonl"
    done = command(
        *("task", "record", made["id"], "-o", str(path)),
        JOURNEYMAN_URL=server.url,
        JOURNEYMAN_TOKEN=token,
    )
    assert done.returncode == 0, done.stderr
    return path


def test_the_file_is_as_documented(recording: Path) -> None:
    heading, *entries = [json.loads(line) for line in recording.read_text().splitlines()]

    assert (heading["type"], heading["version"]) == ("recording", 1)
    assert heading["prompt"] == PROMPT
    assert heading["repository"] == REPOSITORY
    assert [one["name"] for one in entries if one["type"] == "result"] == [
        "bash",
        "bash",
        "report_progress",
    ]
    assert {"type": "message", "source": "answer", "content": "hello"} in entries
    assert {key for one in entries for key in one} <= {
        *("type", "thread", "content", "reasoning", "calls", "call", "name", "success", "source")
    }


def test_a_replay_says_what_differs_and_nothing_else(
    recording: Path, server: Server, token: str, place: Path
) -> None:
    tree = clone(server, token, place / "clone")

    done = command("replay", str(recording), "--repository", str(tree), "--json")

    told = json.loads(done.stdout)
    assert (done.returncode, told["state"]) == (1, "completed"), done.stderr
    (one,) = told["differences"]
    assert one["tool"] == "bash"
    assert "kernel/random/uuid" in one["arguments"]
    assert "the end" in one["diff"]


def test_a_replay_without_a_difference_succeeds(
    recording: Path, server: Server, token: str, place: Path
) -> None:
    tree = clone(server, token, place / "again")
    steady = place / "steady.jsonl"
    text = recording.read_text().replace("cat /proc/sys/kernel/random/uuid", "echo 1")
    lines = [json.loads(line) for line in text.splitlines()]
    for one in lines:
        if one["type"] == "result" and "the end" in one["content"]:
            one["content"] = "1\nthe end\n[exit 0, 0.3 s]"
    steady.write_text("".join(json.dumps(one) + "\n" for one in lines))

    done = command("replay", str(steady), "--repository", str(tree))

    assert done.stdout == "The same: 3 results, completed.\n", done.stderr + done.stdout
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "it is no recording"),
        ("{}\n", "it is no recording"),
        ('{"type": "recording", "version": 9}\n', "it is of version 9; only 1 is known here"),
        ("\x00\n", "it is no recording"),
    ],
)
def test_a_file_that_is_none_is_told(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(text)

    done = command("replay", str(path))

    assert (done.returncode, said in done.stderr) == (2, True), done.stderr


def test_a_repository_without_the_commit_is_told(
    recording: Path, server: Server, token: str, place: Path
) -> None:
    tree = clone(server, token, place / "other")
    text = recording.read_text()
    sha = json.loads(text.splitlines()[0])["base_sha"]
    path = place / "other.jsonl"
    path.write_text(text.replace(sha, "1" * 40))

    done = command("replay", str(path), "--repository", str(tree))

    assert done.returncode == 2
    assert f"has no commit {'1' * 40}, where the recording begins" in done.stderr
