"""A task that a model carries out, over the real wire format, from a server process to a peer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import pytest

from tests.conftest import git
from tests.e2e.conftest import REPOSITORY, clone, hello
from tests.e2e.server import Client, Server, journeyman, running
from tests.peers.model_server import ModelServer, Reset, Say, Status

pytestmark = [pytest.mark.sandbox, pytest.mark.engine]

T = TypeVar("T")
FIX = [
    Say("Let me look.", calls=[("view", {"path": "hello.py"}), ("bash", {"command": "ls"})]),
    Say(
        "A typo.",
        calls=[("edit", {"path": "hello.py", "old": "+ nam\n", "new": "+ name\n"})],
    ),
    Say("Check it.", calls=[("bash", {"command": "python3 -m unittest -q"})]),
    Say(
        "Report it.",
        calls=[
            (
                "report_progress",
                {"commit_message": "Fix the greeting", "pr_description": "- [x] fix the typo"},
            )
        ],
    ),
    Say("The greeting works: the name was misspelt."),
]
MODEL = "gpt-test"


async def with_server(
    tmp_path: Path,
    model: ModelServer,
    story: Callable[[Server, Client, str], T],
    environ: Mapping[str, str] | None = None,
) -> T:
    """Run *story* beside the event loop that serves *model*; *environ*: more of the server's."""
    server = Server(
        tmp_path / "data",
        environ={
            "OPENAI_API_KEY": "not-a-key",
            "OPENAI_BASE_URL": model.base_url,
            "OPENAI_MODEL": MODEL,
            **(environ or {}),
        },
    )

    def run() -> T:
        with running(server):
            made = journeyman("token", "create", "--user", "alice", data=server.data)
            source = str(hello(tmp_path / "hello"))
            added = journeyman("repo", "add", REPOSITORY, source, data=server.data)
            assert added.returncode == 0, added.stderr
            client = Client(server.url, made.stdout.strip())
            try:
                return story(server, client, made.stdout.strip())
            finally:
                client.http.close()

    return await asyncio.to_thread(run)


async def test_a_model_fixes_the_bug_and_opens_a_pull_request(tmp_path: Path) -> None:
    def story(server: Server, client: Client, token: str) -> None:
        made = client.create(REPOSITORY, "Greeting fails, please fix it", create_pull_request=True)
        task = client.wait(made["id"])
        assert task["state"] == "completed", task["sessions"]
        assert task["sessions"][0]["base_ref"] == "main"
        tree = clone(server, token, tmp_path / "clone", task["artifacts"][0]["data"]["head_ref"])
        assert git("log", "-1", "--format=%s", cwd=tree).strip() == "Fix the greeting"
        assert "+ name\n" in (tree / "hello.py").read_text()
        events = client.events(task["id"])
        usage = [event["data"] for event in events if event["type"] == "assistant.usage"]
        assert [entry["inputTokens"] for entry in usage] == [1000] * len(FIX)
        assert "not-a-key" not in server.log.read_text()

    async with ModelServer(FIX) as model:
        await with_server(tmp_path, model, story)
        assert set(model.keys) == {"Bearer not-a-key"}
        offered = {tool["function"]["name"] for tool in model.requests[0]["tools"]}
        assert {"bash", "view", "edit", "create", "search", "report_progress"} <= offered
        assert "Greeting fails" in str(model.requests[0]["messages"][-1])


async def test_a_model_that_fails_for_a_while_does_not_fail_the_task(tmp_path: Path) -> None:
    def story(server: Server, client: Client, token: str) -> None:
        made = client.create(REPOSITORY, "Greeting fails, please fix it")
        assert client.wait(made["id"])["state"] == "completed"
        told = [event["type"] for event in client.events(made["id"])]
        assert told.count("assistant.retry") == 2

    async with ModelServer(FIX) as model:
        model.faults += [Status(529), Reset(after_events=1)]
        await with_server(tmp_path, model, story)


async def test_a_refused_key_ends_the_task_with_what_to_do(tmp_path: Path) -> None:
    def story(server: Server, client: Client, token: str) -> None:
        task = client.wait(client.create(REPOSITORY, "Greeting fails")["id"])
        assert (task["state"], task["state_reason"]) == ("failed", "model_unavailable")
        assert "key" in task["sessions"][0]["error"]["message"].lower()

    async with ModelServer(FIX) as model:
        model.faults += [Status(401, "Incorrect API key provided")] * 10
        await with_server(tmp_path, model, story)


async def test_a_question_waits_for_its_answer_without_a_worker(tmp_path: Path) -> None:
    turns = [
        Say("Which?", calls=[("ask_user", {"question": "Red or blue?"})]),
        Say("So be it.", calls=[("create", {"path": "colour.txt", "content": "blue\n"})]),
        Say("Done."),
    ]

    def story(server: Server, client: Client, token: str) -> None:
        made = client.create(REPOSITORY, "Choose a colour")
        client.wait(made["id"], "waiting_for_user")
        server.kill()
        server.start()
        answer = client.http.post(f"/agents/tasks/{made['id']}/steer", json={"content": "blue"})
        assert answer.status_code < 300, answer.text
        task = client.wait(made["id"])
        assert task["state"] == "completed", task["sessions"]
        assert [artifact["type"] for artifact in task["artifacts"]] == ["branch"]
        patch = client.http.get(f"/agents/tasks/{made['id']}/patch").text
        assert "+blue" in patch

    async with ModelServer(turns) as model:
        await with_server(tmp_path, model, story)
        assert "blue" in str(model.requests[1]["messages"][-1])
