"""Cancel, pause, steer, archive, patch, models, custom agents."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from journeyman.domain.sessions import State
from tests.conftest import git
from tests.unit.api.conftest import TASKS, World, create
from tests.unit.api.test_get_task import finish


async def test_cancel_ends_a_queued_task_and_may_be_repeated(alice: httpx.AsyncClient) -> None:
    made = await create(alice)
    for _ in range(2):
        response = await alice.post(f"/agents/tasks/{made}/cancel")
        assert response.status_code == 200
        assert response.json()["state"] == "cancelled"
        assert response.json()["state_reason"] == "cancelled_by_user"


async def test_a_message_while_it_is_queued_is_taken(alice: httpx.AsyncClient) -> None:
    made = await create(alice)
    response = await alice.post(f"/agents/tasks/{made}/steer", json={"content": "And the docs."})
    assert response.status_code == 200
    assert (response.json()["id"], response.json()["session_count"]) == (made, 1)


async def test_a_message_after_the_end_is_a_new_session(
    world: World, alice: httpx.AsyncClient
) -> None:
    made = await create(alice)
    await finish(world, made, State.COMPLETED)
    body = {"type": "user_message", "content": "Now the docs."}
    response = await alice.post(f"/agents/tasks/{made}/steer", json=body)
    assert (response.json()["state"], response.json()["session_count"]) == ("queued", 2)
    first, second = (await alice.get(f"/agents/tasks/{made}")).json()["sessions"]
    assert second["prompt"] == "Now the docs."
    assert second["head_ref"] == first["head_ref"]


async def test_the_editors_abort_is_cancel(alice: httpx.AsyncClient) -> None:
    made = await create(alice)
    response = await alice.post(f"/agents/tasks/{made}/steer", json={"type": "abort"})
    assert response.json()["state"] == "cancelled"


@pytest.mark.parametrize(
    ("body", "field", "code"),
    [
        ({}, "content", "missing_field"),
        ({"content": ""}, "content", "custom"),
        ({"content": 1}, "content", "invalid"),
        ({"content": "x", "type": "mode_switch"}, "type", "invalid"),
        ({"content": "x" * 100_001}, "content", "custom"),
    ],
)
async def test_a_bad_message_names_the_field(
    alice: httpx.AsyncClient, body: dict[str, object], field: str, code: str
) -> None:
    made = await create(alice)
    response = await alice.post(f"/agents/tasks/{made}/steer", json=body)
    assert response.status_code == 422
    (error,) = response.json()["errors"]
    assert (error["field"], error["code"]) == (field, code)


async def test_archive_and_unarchive(alice: httpx.AsyncClient) -> None:
    made = await create(alice)
    busy = await alice.post(f"/agents/tasks/{made}/archive")
    assert busy.status_code == 422
    assert busy.json()["errors"][0]["code"] == "unprocessable"
    await alice.post(f"/agents/tasks/{made}/cancel")
    for _ in range(2):
        archived = await alice.post(f"/agents/tasks/{made}/archive")
        assert archived.json()["archived_at"].endswith("Z")
    back = await alice.post(f"/agents/tasks/{made}/unarchive")
    assert back.json()["archived_at"] is None


async def test_a_task_is_archived_under_both_of_its_addresses(alice: httpx.AsyncClient) -> None:
    made = await create(alice)
    await alice.post(f"/agents/tasks/{made}/cancel")
    assert (await alice.post(f"{TASKS}/{made}/archive")).json()["archived_at"]
    assert (await alice.post(f"{TASKS}/{made}/unarchive")).json()["archived_at"] is None
    elsewhere = f"/agents/repos/octo/other/tasks/{made}/archive"
    assert (await alice.post(elsewhere)).status_code == 404


async def test_a_paused_task_rests_until_a_message_comes(
    world: World, alice: httpx.AsyncClient
) -> None:
    made = await create(alice)
    for address in (f"/agents/tasks/{made}/pause", f"{TASKS}/{made}/pause"):
        paused = await alice.post(address)
        assert (paused.status_code, paused.json()["state"]) == (200, "idle")
        assert paused.json()["state_reason"] == "paused"
    elsewhere = f"/agents/repos/octo/other/tasks/{made}/pause"
    assert (await alice.post(elsewhere)).status_code == 404
    resumed = await alice.post(f"/agents/tasks/{made}/steer", json={"content": "Go on."})
    assert resumed.json()["state"] == "queued"
    await finish(world, made, State.COMPLETED)
    late = await alice.post(f"/agents/tasks/{made}/pause")
    assert (late.status_code, late.json()["errors"][0]["code"]) == (422, "unprocessable")


@pytest.mark.parametrize("verb", ["cancel", "pause", "steer", "archive", "unarchive"])
async def test_readers_may_change_nothing_and_strangers_find_nothing(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient, mallory: httpx.AsyncClient, verb: str
) -> None:
    made = await create(alice)
    body = {"content": "x"}
    assert (await bob.post(f"/agents/tasks/{made}/{verb}", json=body)).status_code == 403
    assert (await mallory.post(f"/agents/tasks/{made}/{verb}", json=body)).status_code == 404
    assert (await alice.get(f"/agents/tasks/{made}")).json()["state"] == "queued"


async def test_the_patch_is_text_and_empty_while_nothing_changed(
    alice: httpx.AsyncClient, mallory: httpx.AsyncClient
) -> None:
    target = f"/agents/tasks/{await create(alice)}/patch"
    response = await alice.get(target)
    assert (response.status_code, response.content) == (200, b"")
    assert response.headers["content-type"] == "text/plain; charset=utf-8"
    assert response.headers["x-github-media-type"] == "github.v3; param=patch"
    known = {"If-None-Match": response.headers["etag"]}
    assert (await alice.get(target, headers=known)).status_code == 304
    asked = await alice.get(target, headers={"Accept": "application/vnd.github.patch"})
    assert asked.headers["content-type"] == "application/vnd.github.patch; charset=utf-8"
    assert (await mallory.get(target)).status_code == 404


async def test_tasks_are_found_by_the_beginning_of_their_ids(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient, mallory: httpx.AsyncClient
) -> None:
    made = await create(alice)
    await create(alice)

    async def found(client: httpx.AsyncClient, prefix: str) -> list[str]:
        answer = await client.get("/agents/task-ids", params={"prefix": prefix})
        return answer.json()["task_ids"]  # type: ignore[no-any-return]

    for length in (8, 9, 13, 14, 35, 36):
        assert await found(alice, made[:length]) == [made]
    assert await found(bob, made[:8]) == [made]
    assert await found(mallory, made[:8]) == []
    assert await found(alice, "ffffffff-ffff") == []
    for prefix in ("", made[:5], "------", "abc%ef", made[:6].upper() + "X"):
        answer = await alice.get("/agents/task-ids", params={"prefix": prefix})
        assert answer.status_code == 422, prefix


async def test_the_models_are_listed(mallory: httpx.AsyncClient) -> None:
    models = (await mallory.get("/agents/models")).json()["models"]
    (script,) = (model for model in models if model["id"] == "script")
    assert (script["healthy"], script["price"]) == (True, {"input": 0.0, "output": 0.0})


async def test_the_custom_agents_are_those_of_the_default_branch(
    world: World, alice: httpx.AsyncClient, mallory: httpx.AsyncClient, tmp_path: Path
) -> None:
    where = tmp_path / "source/.github/agents"
    where.mkdir(parents=True)
    (where / "tester.agent.md").write_text(
        "---\nname: Tester\ndescription: Writes tests.\ntools: [view, bash]\nmodel: local\n---\nHi"
    )
    (where / "plain.md").write_text("---\ndescription: x\n---\nHi")
    git("init", "-q", "-b", "main", cwd=tmp_path / "source")
    git("add", "-A", cwd=tmp_path / "source")
    git("commit", "-qm", "x", cwd=tmp_path / "source")
    await world.administration.add_repository("alice/own", str(tmp_path / "source"))

    listed = await alice.get("/agents/repos/Alice/own/custom-agents")
    assert listed.json()["custom_agents"] == [
        {
            "id": "plain",
            "name": "plain",
            "description": "x",
            "path": ".github/agents/plain.md",
        },
        {
            "id": "tester",
            "name": "Tester",
            "description": "Writes tests.",
            "path": ".github/agents/tester.agent.md",
            "tools": ["view", "bash"],
            "models": ["local"],
        },
    ]
    assert (await alice.get("/agents/repos/octo/hello/custom-agents")).json() == {
        "custom_agents": []
    }
    assert (await mallory.get("/agents/repos/alice/own/custom-agents")).status_code == 404
