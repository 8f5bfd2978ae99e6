"""The script of the composite action in docs/examples, as a runner would start it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.e2e.conftest import REPOSITORY
from tests.e2e.server import JOURNEYMAN, Client, Server

DOCS = Path(__file__).parents[2] / "docs"
ACTION = DOCS / "examples" / "run-task" / "action.yml"
WORKFLOWS = DOCS / "workflows.md"


def run(server: Server, token: str, folder: Path, **environment: str) -> tuple[int, dict[str, str]]:
    """Exit code and outputs of the action's one step."""
    step = yaml.safe_load(ACTION.read_text())["runs"]["steps"][0]
    given = {
        **dict.fromkeys(step["env"], ""),
        "CREATE_PULL_REQUEST": "true",
        "WAIT_MINUTES": "2",
        "POLL_SECONDS": "0.2",
        "IDEMPOTENCY_KEY": folder.name,
        "JOURNEYMAN_TOKEN": token,
        "JOURNEYMAN_URL": server.url,
        "REPOSITORY": REPOSITORY,
        **environment,
    }
    outputs = folder / "outputs"
    outputs.touch()
    ended = subprocess.run(
        ["bash", "-c", step["run"]],
        env={"PATH": os.environ["PATH"], "GITHUB_OUTPUT": str(outputs), **given},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    lines = [line.split("=", 1) for line in outputs.read_text().splitlines()]
    return ended.returncode, {**dict(lines), "printed": ended.stdout + ended.stderr}


def test_the_action_waits_for_a_pull_request(
    server: Server, token: str, client: Client, tmp_path: Path
) -> None:
    prompt = 'Say "it" for $HOME\n\n```sh\necho one > one.txt\n```'
    code, outputs = run(server, token, tmp_path, PROMPT=prompt, BASE_REF="main")
    assert code == 0, outputs["printed"]
    assert outputs["state"] == "completed"
    task = client.task(outputs["task-id"])
    assert task["sessions"][0]["prompt"] == prompt
    assert int(outputs["pull-request"]) > 0
    again, repeated = run(server, token, tmp_path, PROMPT=prompt, BASE_REF="main")
    assert (again, repeated["task-id"]) == (0, outputs["task-id"])


def test_a_task_that_fails_fails_the_step(server: Server, token: str, tmp_path: Path) -> None:
    code, outputs = run(server, token, tmp_path, PROMPT="Fail\n\n```sh\nexit 3\n```")
    assert (code, outputs["state"]) == (1, "failed"), outputs["printed"]


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"REPOSITORY": "alice/nothing"}, "Not Found"),
        ({"JOURNEYMAN_TOKEN": "x"}, "Bad credentials"),
    ],
)
def test_what_is_refused_is_printed(
    server: Server, token: str, tmp_path: Path, environment: dict[str, str], message: str
) -> None:
    code, outputs = run(server, token, tmp_path, PROMPT="x", **environment)
    assert code == 1
    assert message in outputs["printed"]


def test_the_shell_script_waits_for_the_task(
    server: Server, token: str, client: Client, tmp_path: Path
) -> None:
    """As it stands in docs/workflows.md, for another repository and a prompt that can be run."""
    _, _, told = WORKFLOWS.read_text().partition("a shell script needs no action:\n\n```sh\n")
    exported, command = told.partition("```")[0].splitlines()
    assert exported.startswith("export JOURNEYMAN_URL=")
    command = command.replace("alice/hello", REPOSITORY)
    command = command.replace('"Update the changelog."', '"$PROMPT"')
    ended = subprocess.run(
        ["bash", "-ec", command],
        env={
            "PATH": f"{JOURNEYMAN.parent}:{os.environ['PATH']}",
            "HOME": str(tmp_path),
            "JOURNEYMAN_URL": server.url,
            "JOURNEYMAN_TOKEN": token,
            "PROMPT": "Update the changelog\n\n```sh\necho 1 > CHANGELOG.md\n```",
        },
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    listed = client.http.get("/agents/tasks").raise_for_status().json()["tasks"]
    assert [one["state"] for one in listed if one["name"] == "Update the changelog"] == [
        "completed"
    ]
