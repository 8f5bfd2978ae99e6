"""From a prompt to a pull request: real server, real git, real sandbox, nothing replaced."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.conftest import git
from tests.e2e.conftest import REPOSITORY, clone
from tests.e2e.server import Client, Server

pytestmark = [pytest.mark.sandbox, pytest.mark.engine]

FIX = """Fix the greeting

The test fails because of a typo.

```sh
sed -i 's/+ nam$/+ name/' hello.py
```

```sh
python3 -m unittest -q
```
"""


def types(client: Client, task_id: str) -> list[str]:
    return [event["type"] for event in client.events(task_id)]


def test_a_prompt_becomes_a_pull_request(
    client: Client, server: Server, token: str, tmp_path: Path
) -> None:
    made = client.create(REPOSITORY, FIX, create_pull_request=True)
    assert made["state"] == "queued"
    assert made["name"] == "Fix the greeting"
    task = client.wait(made["id"])
    assert task["state"] == "completed", task
    artifacts = {artifact["type"]: artifact["data"] for artifact in task["artifacts"]}
    head = artifacts["branch"]["head_ref"]
    assert head.startswith("journeyman/fix-the-greeting-")
    assert artifacts["branch"]["base_ref"] == "main"
    assert artifacts["pull"]["id"] > 0

    tree = clone(server, token, tmp_path / "clone", head)
    subprocess.run([sys.executable, "-m", "unittest", "-q"], cwd=tree, check=True)
    author, message = git("log", "-1", "--format=%an%n%B", cwd=tree).split("\n", 1)
    assert author == "journeyman[bot]"
    assert "Co-authored-by: alice <" in message
    assert "Agent-Logs-Url: " in message
    assert git("rev-list", "--count", "origin/HEAD..HEAD", cwd=tree).strip() == "1"


def test_the_log_tells_the_whole_story_in_order(client: Client) -> None:
    task = client.wait(client.create(REPOSITORY, FIX)["id"])
    told = types(client, task["id"])
    story = [
        "session.start",
        "user.message",
        "assistant.message",
        "tool.execution_start",
        "tool.execution_complete",
        "workspace.checkpoint",
        "artifact.created",
    ]
    assert [told.index(kind) for kind in story] == sorted(told.index(kind) for kind in story)
    assert told[-1] == "session.state_changed"


def test_without_a_pull_request_there_is_only_a_branch(client: Client) -> None:
    task = client.wait(client.create(REPOSITORY, FIX)["id"])
    assert [artifact["type"] for artifact in task["artifacts"]] == ["branch"]


def test_a_task_that_changes_nothing_completes_without_a_branch(client: Client) -> None:
    task = client.wait(
        client.create(REPOSITORY, "Look\n\n```sh\nls\n```\n", create_pull_request=True)["id"]
    )
    assert (task["state"], task["state_reason"]) == ("completed", "no_changes")
    assert task["artifacts"] == []


def test_a_failing_command_fails_the_task_and_what_was_done_is_kept_as_a_patch(
    client: Client,
) -> None:
    prompt = (
        "Try\n\n```sh\necho kept > kept.txt\n```\n\n```sh\nexit 3\n```\n\n```sh\ntouch no\n```\n"
    )
    task = client.wait(client.create(REPOSITORY, prompt, create_pull_request=True)["id"])
    assert (task["state"], task["state_reason"]) == ("failed", "command_failed")
    message = task["sessions"][0]["error"]["message"]
    assert "exit 3" in message
    assert task["artifacts"] == []
    patch = client.http.get(f"/agents/tasks/{task['id']}/patch")
    assert "+kept" in patch.text
    assert "touch" not in patch.text


def test_what_the_firewall_blocked_is_told_to_everybody(client: Client) -> None:
    prompt = "Fetch\n\n```sh\ncurl -sS http://blocked.invalid/x; touch made\n```\n"
    task = client.wait(client.create(REPOSITORY, prompt, create_pull_request=True)["id"])
    assert task["state"] == "completed", task
    events = client.events(task["id"])
    (blocked,) = [event["data"] for event in events if event["type"] == "firewall.blocked"]
    assert (blocked["host"], blocked["port"], blocked["method"]) == ("blocked.invalid", 80, "GET")
    assert blocked["command"] == "curl -sS http://blocked.invalid/x"
    results = [e["data"] for e in events if e["type"] == "tool.execution_complete"]
    told = "[the firewall blocked blocked.invalid:80 (GET)"
    assert any(told in str(result.get("result")) for result in results)
    pulls = client.http.get(f"/repos/{REPOSITORY}/pulls").json()
    body = next(pull["body"] for pull in pulls if pull["title"] == "Fetch")
    assert "> [!WARNING]" in body
    assert "> - `blocked.invalid:80` (http block)" in body


def test_a_repositorys_own_allowlist_counts(client: Client) -> None:
    settings = f"/repos/{REPOSITORY}/copilot/cloud-agent/configuration"
    fetch = "Fetch\n\n```sh\ncurl -sS http://below.listed.invalid/ || true\n```\n"
    allowlist = ["listed.invalid", "no*host"]
    client.http.put(settings, json={"custom_allowlist": allowlist}).raise_for_status()
    try:
        task = client.wait(client.create(REPOSITORY, fetch)["id"])
    finally:
        client.http.put(settings, json={}).raise_for_status()
    events = client.events(task["id"])
    results = [e["data"] for e in events if e["type"] == "tool.execution_complete"]
    assert any("did not answer" in str(result.get("result")) for result in results)
    assert not [event for event in events if event["type"] == "firewall.blocked"]
    told = [str(event["data"].get("message")) for event in events]
    assert any("'no*host' is not a host" in message for message in told)


def test_a_prompt_without_a_block_says_how_to_configure_a_model(client: Client) -> None:
    task = client.wait(client.create(REPOSITORY, "Please fix the bug")["id"])
    assert (task["state"], task["state_reason"]) == ("failed", "model_not_configured")
    assert "config-check" in task["sessions"][0]["error"]["message"]


def test_an_unknown_base_ref_is_refused_with_the_default_branch(client: Client) -> None:
    answer = client.http.post(
        f"/agents/repos/{REPOSITORY}/tasks", json={"prompt": FIX, "base_ref": "nope"}
    )
    assert answer.status_code == 422
    assert "'nope'" in answer.text
    assert "'main'" in answer.text


def test_two_tasks_at_once_on_one_repository_do_not_meet(client: Client) -> None:
    made = [client.create(REPOSITORY, FIX, create_pull_request=True) for _ in range(2)]
    tasks = [client.wait(task["id"]) for task in made]
    assert [task["state"] for task in tasks] == ["completed", "completed"]
    heads = {task["artifacts"][0]["data"]["head_ref"] for task in tasks}
    pulls = {task["artifacts"][1]["data"]["id"] for task in tasks}
    assert (len(heads), len(pulls)) == (2, 2)


def test_work_goes_on_top_of_an_existing_branch(
    client: Client, server: Server, token: str, tmp_path: Path
) -> None:
    tree = clone(server, token, tmp_path / "clone")
    git("checkout", "-qb", "feature", cwd=tree)
    git("commit", "-q", "--allow-empty", "-m", "Mine", cwd=tree)
    git("push", "-q", "origin", "feature", cwd=tree)
    task = client.wait(
        client.create(REPOSITORY, FIX, head_ref="feature", base_ref="refs/heads/main")["id"]
    )
    assert task["artifacts"][0]["data"] == {"head_ref": "feature", "base_ref": "main"}
    git("fetch", "-q", cwd=tree)
    subjects = git("log", "--format=%s", "origin/main..origin/feature", cwd=tree).splitlines()
    assert subjects[-1] == "Mine"
    assert len(subjects) == 2


def test_a_running_task_is_cancelled_and_its_processes_are_gone(client: Client) -> None:
    prompt = "Wait\n\n```sh\necho here > here.txt\n```\n\n```sh\nsleep 4242\n```\n"
    made = client.create(REPOSITORY, prompt)
    client.wait(made["id"], "in_progress")
    while types(client, made["id"]).count("tool.execution_start") < 2:
        pass
    answer = client.http.post(f"/agents/tasks/{made['id']}/cancel")
    assert answer.status_code in (200, 202), answer.text
    assert client.task(made["id"])["state"] == "cancelled"
    sleeping = subprocess.run(["pgrep", "-f", "sleep 4242"], capture_output=True, check=False)
    assert sleeping.returncode == 1, sleeping.stdout
    assert "+here" in client.http.get(f"/agents/tasks/{made['id']}/patch").text


def test_a_live_stream_ends_with_the_task_and_resumes_without_a_gap(client: Client) -> None:
    made = client.create(REPOSITORY, FIX)
    ids = _stream_ids(client, made["id"])
    assert len(ids) == len(client.events(made["id"]))
    assert _stream_ids(client, made["id"], after=ids[3]) == ids[4:]


def _stream_ids(client: Client, task_id: str, after: str | None = None) -> list[str]:
    headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": after} if after else {})
    token = client.http.headers["authorization"]
    with httpx.stream(
        "GET",
        f"{client.http.base_url}/agents/tasks/{task_id}/events",
        headers={**headers, "authorization": token},
        timeout=60,
    ) as stream:
        return [line[4:] for line in stream.iter_lines() if line.startswith("id: ")]


@pytest.mark.parametrize("prefix", ["", "/api/v3"])
def test_a_stranger_sees_nothing(client: Client, server: Server, prefix: str) -> None:
    made = client.create(REPOSITORY, "```sh\ntrue\n```")
    assert httpx.get(f"{server.url}{prefix}/agents/tasks/{made['id']}").status_code == 401
    client.wait(made["id"])
