"""The API behind `gh agent-task`: jobs, sessions and their logs."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from journeyman.domain.artifacts import PullArtifact
from journeyman.domain.events import EventType, NewEvent
from journeyman.domain.sessions import State
from journeyman.forge import NewPull
from tests.unit.api.conftest import World, create

JOBS = "/agents/swe/v1/jobs/octo/hello"


async def make(client: httpx.AsyncClient, **body: object) -> Any:
    answer = await client.post(JOBS, json={"problem_statement": "Fix it", **body})
    assert answer.status_code == 201, answer.text
    return answer.json()


async def work(world: World, job: dict[str, Any], *entries: NewEvent, pull: bool = False) -> None:
    """As a worker: begins, says *entries*, ends."""
    held = (await world.ledger.take(job["session_id"])).session
    start = NewEvent(EventType.SESSION_START, {"headRef": "journeyman/fix"})
    await world.ledger.begin(held, "a" * 40, start)
    if entries:
        await world.ledger.append(held, list(entries))
    if pull:
        await world.ledger.add_artifact(held, PullArtifact((await opened(world)), 1))
    await world.ledger.drain(held)
    await world.ledger.finish(held, State.COMPLETED)


async def opened(world: World) -> int:
    principal = await world.services.identity.authenticate(world.tokens["alice"])
    access = await world.services.identity.access(principal, "octo", "hello")
    new = NewPull("Fix it", "", "fix", "main")
    return (await world.services.pulls.open(principal, access, new)).found.pull.id


async def chunks(client: httpx.AsyncClient, session_id: str) -> list[dict[str, Any]]:
    answer = await client.get(f"/agents/sessions/{session_id}/logs")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    lines = [line for line in answer.text.split("\n") if line]
    assert all(line.startswith("data: ") for line in lines)
    found = [json.loads(line.removeprefix("data: ")) for line in lines]
    assert {one["object"] for one in found} <= {"chat.completion.chunk"}
    return [one["choices"][0] for one in found]


def called(choices: list[dict[str, Any]], name: str) -> tuple[dict[str, Any], str]:
    """The arguments and the content of the first call of a tool."""
    for choice in choices:
        for call in choice["delta"].get("tool_calls", ()):
            if call["function"]["name"] == name:
                return json.loads(call["function"]["arguments"]), choice["delta"]["content"]
    raise AssertionError(f"no call of {name}")


def tool(name: str, result: str, **arguments: object) -> list[NewEvent]:
    call = {"toolCallId": f"call-{name}", "toolName": name}
    done = {**call, "success": True, "result": {"content": result}, "duration": 1}
    return [
        NewEvent(EventType.TOOL_START, {**call, "arguments": arguments}),
        NewEvent(EventType.TOOL_COMPLETE, done),
    ]


async def test_a_job_is_a_task_that_ends_in_a_pull_request(alice: httpx.AsyncClient) -> None:
    asked = {"id": 0, "number": 0, "base_ref": "refs/heads/fix"}
    made = await make(alice, event_type="gh_cli", pull_request=asked)
    assert made["status"] == "queued"
    assert made["actor"]["login"] == "alice"
    task = (await alice.get(f"/agents/tasks/{made['job_id']}")).json()
    assert task["sessions"][0]["id"] == made["session_id"]
    assert task["sessions"][0]["base_ref"] == "fix"
    assert (await alice.get(f"{JOBS}/{made['job_id']}")).json() == made


async def test_a_job_tells_its_pull_request_once_there_is_one(
    world: World, alice: httpx.AsyncClient
) -> None:
    made = await make(alice)
    assert "pull_request" not in made
    await work(world, made, pull=True)
    job = (await alice.get(f"{JOBS}/{made['job_id']}")).json()
    assert (job["pull_request"]["number"], job["pull_request"]["base_ref"]) == (1, "main")
    assert job["status"] == "completed"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, '"problem_statement" wasn\'t supplied.'),
        ({"problem_statement": " "}, "prompt is empty"),
        ({"problem_statement": "x", "pull_request": 3}, "is not an object"),
        ({"problem_statement": "x", "pull_request": {"base_ref": 3}}, "is not a string"),
        ({"problem_statement": "x", "pull_request": {"base_ref": "none"}}, "no branch 'none'"),
        ({"problem_statement": "x", "model": "none"}, "none"),
    ],
)
async def test_what_is_wrong_with_a_job_is_in_the_message(
    alice: httpx.AsyncClient, body: dict[str, object], said: str
) -> None:
    answer = await alice.post(JOBS, json=body)
    assert answer.status_code == 422
    assert said in answer.json()["message"]


async def test_sessions_of_the_caller(world: World, alice: httpx.AsyncClient) -> None:
    first, second = await make(alice), await create(alice, "Another")
    await work(world, first, pull=True)
    query: dict[str, Any] = {"page_number": 1, "page_size": 50, "sort": "last_updated_at,desc"}
    found = (await alice.get("/agents/sessions", params=query)).json()["sessions"]
    assert [one["task_id"] for one in found] == [first["job_id"], second]
    assert found[0]["resource_type"] == "pull"
    assert found[0]["resource_number"] == 1
    assert "resource_id" not in found[1]
    assert found[0] == (await alice.get(f"/agents/sessions/{first['session_id']}")).json()
    rest: dict[str, Any] = {"page_number": 2, "page_size": 1, "sort": "created_at,asc"}
    (last,) = (await alice.get("/agents/sessions", params=rest)).json()["sessions"]
    assert last["task_id"] == second
    assert (await world.client("bob").get("/agents/sessions")).json() == {"sessions": []}


@pytest.mark.parametrize("query", ["page_number=0", "page_size=101", "sort=name"])
async def test_bad_parameters(alice: httpx.AsyncClient, query: str) -> None:
    assert (await alice.get(f"/agents/sessions?{query}")).status_code == 422


async def test_sessions_behind_a_pull_request(world: World, alice: httpx.AsyncClient) -> None:
    made = await make(alice)
    await work(world, made, pull=True)
    answer = await alice.post(f"/agents/tasks/{made['job_id']}/steer", json={"content": "More"})
    assert answer.status_code == 200
    pull_id = (await alice.get(f"{JOBS}/{made['job_id']}")).json()["pull_request"]["id"]
    found = (await alice.get(f"/agents/resource/pull/{pull_id}")).json()
    assert [one["name"] for one in found["sessions"]] == ["More", "Fix it"]
    assert found["sessions"][1]["id"] == made["session_id"]
    assert (found["session_count"], found["state"]) == (2, "queued")
    for missing in ("999", "0", "x", str(2**63)):
        assert (await alice.get(f"/agents/resource/pull/{missing}")).status_code == 404
    assert (
        await world.client("mallory").get(f"/agents/resource/pull/{pull_id}")
    ).status_code == 404


async def test_a_pull_request_without_a_task(world: World, alice: httpx.AsyncClient) -> None:
    found = (await alice.get(f"/agents/resource/pull/{await opened(world)}")).json()
    assert (found["session_count"], found["sessions"]) == (0, [])


async def test_a_log_in_ghs_words(world: World, alice: httpx.AsyncClient) -> None:
    made = await make(alice)
    await work(
        world,
        made,
        NewEvent(EventType.MESSAGE, {"messageId": "1", "content": "Hi", "reasoningText": "Hm"}),
        *tool("bash", "", command="true"),
        *tool("edit", "Replaced 1 match", path="src/a.py", old="x\ny", new="z"),
        *tool("create", "Created", path="/tmp/b", content="text"),
        *tool("report_progress", "Done", commit_message="Mend", pr_description="- [x] it"),
        NewEvent(EventType.INPUT_REQUESTED, {"requestId": "1", "question": "Why?"}),
    )
    choices = await chunks(alice, made["session_id"])
    assert called(choices, "run_setup")[0] == {"name": "Start on journeyman/fix"}
    assert called(choices, "bash") == ({"command": "true"}, "\n")
    edited = {"path": "/home/runner/work/octo/hello/src/a.py", "old_str": "x\ny", "new_str": "z"}
    assert called(choices, "str_replace") == (edited, "-x\n-y\n+z")
    assert called(choices, "create")[0] == {"path": "/tmp/b", "file_text": "text"}
    progress = {"commitMessage": "Mend", "prDescription": "- [x] it"}
    assert called(choices, "report_progress")[0] == progress
    said = [c["delta"]["content"] for c in choices if "tool_calls" not in c["delta"]]
    assert [text for text in said if text] == ["Hm", "Hi", "Why?", "Fix it"]
    assert [choice["finish_reason"] for choice in choices][-1] == "stop"
    assert all(choice["finish_reason"] is None for choice in choices[:-1])


async def test_a_log_is_of_one_session_however_long(world: World, alice: httpx.AsyncClient) -> None:
    made = await make(alice)
    many = [NewEvent(EventType.SESSION_INFO, {"message": f"{n}"}) for n in range(450)]
    await work(world, made, *many)
    before = (await alice.get(f"/agents/sessions/{made['session_id']}/logs")).text
    await alice.post(f"/agents/tasks/{made['job_id']}/steer", json={"content": "More"})
    task = (await alice.get(f"/agents/tasks/{made['job_id']}")).json()
    later = {"session_id": task["sessions"][1]["id"]}
    await work(world, later, NewEvent(EventType.SESSION_INFO, {"message": "later"}))
    assert (await alice.get(f"/agents/sessions/{made['session_id']}/logs")).text == before
    assert before.count("data: ") >= 450
    assert "later" in (await alice.get(f"/agents/sessions/{later['session_id']}/logs")).text


async def test_who_may(world: World, alice: httpx.AsyncClient) -> None:
    made = await make(alice)
    paths = [
        f"{JOBS}/{made['job_id']}",
        f"/agents/sessions/{made['session_id']}",
        f"/agents/sessions/{made['session_id']}/logs",
    ]
    for user, status in (("alice", 200), ("bob", 200), ("mallory", 404), (None, 401)):
        client = world.client(user)
        assert [(await client.get(path)).status_code for path in paths] == [status] * 3, user
    asked = {"problem_statement": "x"}
    for user, status in (("bob", 403), ("mallory", 404), (None, 401)):
        assert (await world.client(user).post(JOBS, json=asked)).status_code == status
    other = paths[0].replace("hello", "other")
    assert (await world.client("root").get(other)).status_code == 404
    assert (await alice.get("/agents/sessions/nothing")).status_code == 404
