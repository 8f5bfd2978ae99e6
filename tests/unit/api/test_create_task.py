"""`POST /agents/repos/{owner}/{repo}/tasks`."""

from __future__ import annotations

import asyncio
import shutil

import httpx
import pytest

from journeyman.domain.limits import DEFAULTS, Limits
from journeyman.domain.repositories import Permission
from tests.unit.api.conftest import HOST, TASKS, World


async def test_a_prompt_makes_a_queued_task(world: World, alice: httpx.AsyncClient) -> None:
    response = await alice.post(TASKS, json={"prompt": "Fix the login\n\nmore"})
    assert response.status_code == 201
    task = response.json()
    user = (await alice.get("/user")).json()
    repository = (await alice.get("/repos/octo/hello")).json()
    assert task == {
        "id": task["id"],
        "url": f"{HOST}{TASKS}/{task['id']}",
        "html_url": f"{HOST}/octo/hello/agents/tasks/{task['id']}",
        "name": "Fix the login",
        "creator": {"id": user["id"]},
        "creator_type": "user",
        "owner": {"id": repository["owner"]["id"]},
        "repository": {"id": repository["id"]},
        "state": "queued",
        "session_count": 1,
        "artifacts": [],
        "archived_at": None,
        "created_at": task["created_at"],
        "updated_at": task["created_at"],
    }
    assert "location" not in response.headers


async def test_custom_agent_is_echoed_and_absent_otherwise(alice: httpx.AsyncClient) -> None:
    response = await alice.post(TASKS, json={"prompt": "x", "custom_agent": "reviewer"})
    assert response.json()["custom_agent"] == {"id": "reviewer"}
    assert "custom_agent" not in (await alice.post(TASKS, json={"prompt": "x"})).json()


async def test_owner_and_repository_are_found_in_any_case(alice: httpx.AsyncClient) -> None:
    response = await alice.post("/agents/repos/OCTO/Hello/tasks", json={"prompt": "x"})
    assert response.status_code == 201
    assert "/repos/octo/hello/" in response.json()["url"]


async def test_a_form_content_type_is_read_as_json(alice: httpx.AsyncClient) -> None:
    """What `curl -d` sends."""
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    response = await alice.post(TASKS, content=b'{"prompt": "x"}', headers=headers)
    assert response.status_code == 201


async def test_limits_stand_in_for_the_servers_own(world: World, alice: httpx.AsyncClient) -> None:
    body = {"prompt": "x", "limits": {"steps": 5, "credits": 0.5}}
    task = (await alice.post(TASKS, json=body)).json()
    principal = await world.services.identity.authenticate(world.tokens["alice"])
    session = (await world.services.tasks.get(principal, task["id"])).task.session
    assert session.limits == Limits(minutes=DEFAULTS.minutes, steps=5, credits=0.5)


async def test_branches_may_be_written_as_refs(world: World, alice: httpx.AsyncClient) -> None:
    body = {"prompt": "x", "base_ref": "refs/heads/main", "head_ref": "refs/heads/fix"}
    task = (await alice.post(TASKS, json=body)).json()
    (session,) = (await alice.get(f"/agents/tasks/{task['id']}")).json()["sessions"]
    assert (session["base_ref"], session["head_ref"]) == ("main", "fix")


@pytest.mark.parametrize(
    ("body", "field", "code"),
    [
        ({}, "prompt", "missing_field"),
        ({"prompt": None}, "prompt", "missing_field"),
        ({"prompt": ""}, "prompt", "missing_field"),
        ({"prompt": 1}, "prompt", "invalid"),
        ({"prompt": "x", "create_pull_request": "yes"}, "create_pull_request", "invalid"),
        ({"prompt": "x" * 100_001}, "prompt", "custom"),
        ({"prompt": "x", "base_ref": "nowhere"}, "base_ref", "custom"),
        ({"prompt": "x", "base_ref": "a\u0000b"}, "base_ref", "invalid"),
        ({"prompt": "x", "head_ref": "main"}, "head_ref", "custom"),
        ({"prompt": "x", "model": "gpt-0"}, "model", "custom"),
        ({"prompt": "x", "limits": {"minutes": -1}}, "limits.minutes", "invalid"),
        ({"prompt": "x", "limits": {"hours": 1}}, "limits", "invalid"),
    ],
)
async def test_bad_input_names_the_field(
    alice: httpx.AsyncClient, body: dict[str, object], field: str, code: str
) -> None:
    response = await alice.post(TASKS, json=body)
    assert response.status_code == 422
    (error,) = response.json()["errors"]
    assert (error["field"], error["code"]) == (field, code)


async def test_a_wrong_shape_and_a_wrong_value_read_as_githubs(alice: httpx.AsyncClient) -> None:
    shape = (await alice.post(TASKS, json={})).json()
    assert shape["message"] == 'Invalid request.\n\n"prompt" wasn\'t supplied.'
    value = (await alice.post(TASKS, json={"prompt": "x", "base_ref": "nowhere"})).json()
    assert value["message"] == "Validation Failed"
    assert "'nowhere'" in value["errors"][0]["message"]


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"{", "Problems parsing JSON"), (b"[]", "Body should be a JSON object")],
)
async def test_wrong_json_is_400(alice: httpx.AsyncClient, content: bytes, message: str) -> None:
    response = await alice.post(TASKS, content=content)
    assert response.status_code == 400
    assert response.json()["message"] == message


async def test_a_prompt_of_2_mb_and_a_body_of_5_mb_are_422(alice: httpx.AsyncClient) -> None:
    for size in (2_000_000, 5_000_000):
        response = await alice.post(TASKS, json={"prompt": "x" * size})
        assert response.status_code == 422
    assert (await alice.get(TASKS)).json()["tasks"] == []


async def test_who_may_only_read_is_told_so(bob: httpx.AsyncClient) -> None:
    response = await bob.post(TASKS, json={"prompt": "x"})
    assert response.status_code == 403
    assert "write access" in response.json()["message"]


async def test_who_may_not_see_it_finds_nothing(mallory: httpx.AsyncClient) -> None:
    for path in (TASKS, "/agents/repos/octo/none/tasks"):
        response = await mallory.post(path, json={"prompt": "x"})
        assert response.status_code == 404
        assert response.json()["message"] == "Not Found"


async def test_the_same_key_and_body_make_one_task(alice: httpx.AsyncClient) -> None:
    headers = {"Idempotency-Key": "k1"}
    first = await alice.post(TASKS, json={"prompt": "x"}, headers=headers)
    again = await alice.post(TASKS, json={"prompt": "x"}, headers=headers)
    other = await alice.post(TASKS, json={"prompt": "y"}, headers=headers)
    assert (first.status_code, again.status_code, other.status_code) == (201, 201, 422)
    assert first.json()["id"] == again.json()["id"]
    assert other.json()["errors"][0]["field"] == "Idempotency-Key"


@pytest.mark.parametrize("key", ["", "k" * 256])
async def test_a_key_has_1_to_255_characters(alice: httpx.AsyncClient, key: str) -> None:
    headers = {"Idempotency-Key": key}
    assert (await alice.post(TASKS, json={"prompt": "x"}, headers=headers)).status_code == 422


async def test_a_key_is_the_callers_own(world: World, alice: httpx.AsyncClient) -> None:
    headers = {"Idempotency-Key": "k1"}
    mine = await alice.post(TASKS, json={"prompt": "x"}, headers=headers)
    theirs = await world.client("root").post(TASKS, json={"prompt": "y"}, headers=headers)
    assert theirs.status_code == 201
    assert mine.json()["id"] != theirs.json()["id"]


async def test_requests_with_one_key_at_once_make_one_task(alice: httpx.AsyncClient) -> None:
    answers = await asyncio.gather(
        *(
            alice.post(TASKS, json={"prompt": "x"}, headers={"Idempotency-Key": "k1"})
            for _ in range(8)
        )
    )
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert len((await alice.get(TASKS)).json()["tasks"]) == 1


async def test_a_forge_that_is_away_is_503_in_its_own_words(
    world: World, alice: httpx.AsyncClient
) -> None:
    shutil.rmtree(world.data / "repositories")
    response = await alice.post(TASKS, json={"prompt": "x"}, extensions={"also": {503}})
    assert response.status_code == 503
    assert "git data of octo/hello is missing" in response.json()["message"]


async def test_only_who_administers_a_repository_gives_it_urgent_tasks(
    world: World, alice: httpx.AsyncClient
) -> None:
    asked = {"prompt": "Now", "urgent": True}
    refused = await alice.post(TASKS, json=asked)
    assert refused.status_code == 403
    assert "leave urgent out" in refused.json()["message"]
    assert (await alice.post(TASKS, json={**asked, "urgent": "yes"})).status_code == 422
    await world.administration.grant("octo/hello", "alice", Permission.ADMIN)
    assert (await alice.post(TASKS, json={"prompt": "Later"})).status_code == 201
    made = (await alice.post(TASKS, json=asked)).json()
    assert (await alice.get(f"/agents/tasks/{made['id']}")).json()["queue_position"] == 1
