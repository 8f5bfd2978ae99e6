"""From a prompt with a GitHub token to a pull request that is ready, on a local GitHub."""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from journeyman.store import credentials
from tests.integration.forge.client import git
from tests.integration.github.conftest import Service
from tests.integration.github.site import URL

pytestmark = [pytest.mark.npm, pytest.mark.sandbox, pytest.mark.engine]

WRITE = "Say it louder\n\n```sh\necho HELLO > loud.txt\n```"


async def test_a_prompt_becomes_a_pull_request_that_is_ready(working: Service) -> None:
    made = await working.create(WRITE, create_pull_request=True)
    assert made["creator"]["id"] == working.github.state.user("octo").id
    task = await working.wait(made["id"])
    assert task["state"] == "completed", task
    (pull,) = working.repository.pulls
    artifacts = {artifact["type"]: artifact["data"] for artifact in task["artifacts"]}
    assert artifacts["pull"]["id"] == pull.id
    assert artifacts["branch"]["head_ref"] == pull.head

    assert (pull.title, pull.draft, pull.base) == ("Say it louder", False, "main")
    assert "<summary>Original prompt</summary>" in pull.body
    assert f"{URL}/octo/app/agents/tasks/{made['id']}" in pull.body
    octo = working.github.state.user("octo")
    assert pull.assignees == [octo]
    shown = git(working.repository.bare, "show", f"{pull.head}:loud.txt")
    assert shown == "HELLO"
    (opened,) = working.github.asked("POST .*/pulls$")
    assert json.loads(opened.body)["draft"], "until it is ready"
    assert working.github.asked("graphql")
    message = git(working.repository.bare, "log", "-1", "--format=%B", pull.head)
    assert f"Co-authored-by: octo <{octo.id}+octo@users.noreply.127.0.0.1>" in message
    assert f"Agent-Logs-Url: {URL}/octo/app/agents/tasks/{made['id']}" in message

    more = {"content": "Louder still\n\n```sh\necho HELLO! > loud.txt\n```"}
    assert (await working.octo.post(f"/agents/tasks/{made['id']}/steer", json=more)).is_success
    await working.wait(made["id"], "in_progress")
    task = await working.wait(made["id"])
    assert task["state"] == "completed", task
    (same,) = working.repository.pulls
    assert "> Louder still" in same.body
    assert not same.draft
    assert git(working.repository.bare, "show", f"{pull.head}:loud.txt") == "HELLO!"


async def test_the_token_is_kept_encrypted_until_the_end_and_is_nowhere_else(
    working: Service, data: Path
) -> None:
    secret = working.tokens["octo"]
    basic = base64.b64encode(f"x-access-token:{secret}".encode())
    arguments = list[bytes]()
    working.github.while_git_asks = lambda: arguments.extend(_arguments())
    prompt = "Look\n\n```sh\nenv; cat .git/config; git config -l; echo 1 > 1; sleep 1\n```"
    made = await working.create(prompt, create_pull_request=True)
    task = await working.wait(made["id"], "in_progress")
    session_id = task["sessions"][0]["id"]
    kept = await _kept(working, session_id)
    assert kept is not None
    assert secret.encode() not in kept
    await working.wait(made["id"])
    assert await _kept(working, session_id) is None

    assert any(b"push" in one for one in arguments), "git's own process was seen"
    assert [one for one in arguments if secret.encode() in one or basic in one] == []
    log = (await working.octo.get(f"/agents/tasks/{made['id']}/events?per_page=100")).content
    assert b"PATH=" in log
    assert secret.encode() not in log
    leaked = [
        path for path in data.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()
    ]
    assert leaked == []


def _arguments() -> Iterator[bytes]:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            yield path.read_bytes()


async def _kept(service: Service, session_id: str) -> bytes | None:
    return await service.parts.database.read(lambda tx: credentials.find(tx, session_id))


async def test_a_token_that_is_revoked_meanwhile_ends_the_session_and_keeps_the_work(
    working: Service,
) -> None:
    made = await working.create("Slow\n\n```sh\necho 1 > 1.txt; sleep 3\n```")
    await working.wait(made["id"], "in_progress")
    working.github.state.tokens[working.tokens["octo"]].revoked = True
    working.tokens["octo"] = working.github.state.add_token("octo")
    task = await working.wait(made["id"])
    assert (task["state"], task["sessions"][0]["state_reason"]) == ("failed", "credential_refused")
    assert "expired or was revoked" in task["sessions"][0]["error"]["message"]
    patch = await working.octo.get(f"/agents/tasks/{made['id']}/patch")
    assert "1.txt" in patch.text

    steered = await working.octo.post(
        f"/agents/tasks/{made['id']}/steer", json={"content": "Go on\n\n```sh\nls 1.txt\n```"}
    )
    assert steered.status_code == 200, steered.text
    task = await working.wait(made["id"])
    assert task["state"] == "completed", task
    assert git(working.repository.bare, "show", f"{task['sessions'][-1]['head_ref']}:1.txt") == "1"
