"""The two ways to one task: fields, ETags, who may see it."""

from __future__ import annotations

import httpx
import pytest

from journeyman.domain.artifacts import BranchArtifact, PullArtifact
from journeyman.domain.events import EventType, NewEvent
from journeyman.domain.sessions import FINAL, State
from tests.unit.api.conftest import HOST, TASKS, World, create

SHA = "a" * 40


async def finish(world: World, task_id: str, state: State, message: str | None = None) -> None:
    """Carry the task's session to its end, with a branch and a pull request."""
    principal = await world.services.identity.authenticate(world.tokens["alice"])
    session_id = (await world.services.tasks.get(principal, task_id)).task.session.id
    held = (await world.ledger.take(session_id)).session
    await world.ledger.begin(held, SHA, NewEvent(EventType.SESSION_START, {}))
    await world.ledger.append(held, [NewEvent(EventType.USAGE, {"cost": 1_500_000_000})])
    await world.ledger.add_artifact(held, BranchArtifact(held.head_ref, held.base_ref))
    await world.ledger.add_artifact(held, PullArtifact(7, 1))
    await world.ledger.drain(held)
    to = world.ledger.finish if state in FINAL else world.ledger.rest
    await to(held, state, message=message)


async def test_a_new_task_has_its_session(alice: httpx.AsyncClient) -> None:
    made = await create(alice, "Fix it", model="script")
    task = (await alice.get(f"/agents/tasks/{made}")).json()
    (session,) = task["sessions"]
    assert session == {
        "id": session["id"],
        "name": "Fix it",
        "user": task["creator"],
        "owner": task["owner"],
        "repository": task["repository"],
        "task_id": made,
        "state": "queued",
        "created_at": task["created_at"],
        "updated_at": task["updated_at"],
        "prompt": "Fix it",
        "head_ref": session["head_ref"],
        "base_ref": "main",
        "model": "script",
    }
    assert session["head_ref"].startswith("journeyman/fix-it-")


async def test_a_queued_task_says_how_far_it_is(alice: httpx.AsyncClient) -> None:
    first, second = await create(alice, "First"), await create(alice, "Second")
    answers = [await alice.get(f"/agents/tasks/{made}") for made in (first, second)]
    assert [answer.json()["queue_position"] for answer in answers] == [1, 2]
    assert all("queue_position" not in task for task in (await alice.get(TASKS)).json()["tasks"])


async def test_moving_up_in_the_queue_is_something_new_to_see(alice: httpx.AsyncClient) -> None:
    first, second = await create(alice, "First"), await create(alice, "Second")
    known = {"If-None-Match": (await alice.get(f"/agents/tasks/{second}")).headers["etag"]}
    assert (await alice.get(f"/agents/tasks/{second}", headers=known)).status_code == 304
    await alice.post(f"/agents/tasks/{first}/cancel")
    moved = await alice.get(f"/agents/tasks/{second}", headers=known)
    assert (moved.status_code, moved.json()["queue_position"]) == (200, 1)
    await alice.post(f"/agents/tasks/{second}/cancel")
    assert "queue_position" not in (await alice.get(f"/agents/tasks/{second}")).json()


async def test_a_finished_task_has_artifacts_usage_and_error(
    world: World, alice: httpx.AsyncClient
) -> None:
    made = await create(alice)
    await finish(world, made, State.FAILED, "The push was rejected.")
    task = (await alice.get(f"{TASKS}/{made}")).json()
    branch, pull = task["artifacts"]
    (session,) = task["sessions"]
    assert branch == {
        "provider": "github",
        "type": "branch",
        "data": {"head_ref": session["head_ref"], "base_ref": "main"},
    }
    assert pull["type"] == "pull"
    global_id = pull["data"]["global_id"]
    assert pull["data"] == {"id": 7, "global_id": global_id, "number": 1}
    assert pull["data"]["global_id"].startswith("PR_kw")
    assert (task["state"], session["state"]) == ("failed", "failed")
    assert session["usage"] == {"type": "ai_credits", "amount": 1_500_000_000}
    assert session["error"] == {"message": "The push was rejected."}
    assert session["completed_at"].endswith("Z")


async def test_addresses_follow_host_and_prefix_of_the_caller(
    world: World, alice: httpx.AsyncClient
) -> None:
    made = await create(alice)
    plain = (await alice.get(f"/agents/tasks/{made}")).json()
    assert plain["url"] == f"{HOST}{TASKS}/{made}"
    prefixed = (await alice.get(f"/api/v3/agents/tasks/{made}")).json()
    assert prefixed["url"] == f"{HOST}/api/v3{TASKS}/{made}"
    other = world.client(base="https://api.example:8443")
    found = (await other.get(f"/agents/tasks/{made}")).json()
    assert found["url"] == f"https://api.example:8443{TASKS}/{made}"
    assert found["html_url"].startswith("https://example:8443/octo/hello/")


@pytest.mark.parametrize("prefix", ["", "/api/v3"])
async def test_an_unchanged_task_is_304_until_it_changes(
    alice: httpx.AsyncClient, prefix: str
) -> None:
    made = await create(alice)
    for target in (f"{prefix}/agents/tasks/{made}", f"{prefix}{TASKS}/{made}"):
        response = await alice.get(target)
        etag = response.headers["etag"]
        assert etag.startswith('W/"')
        for known in (etag, etag.removeprefix("W/"), f'"x", {etag}', "*"):
            again = await alice.get(target, headers={"If-None-Match": known})
            assert (again.status_code, again.headers["etag"]) == (304, etag)
            assert "Authorization" in again.headers["vary"]
    await alice.post(f"/agents/tasks/{made}/cancel")
    changed = await alice.get(f"/agents/tasks/{made}", headers={"If-None-Match": etag})
    assert changed.json()["state"] == "cancelled"


async def test_a_task_of_another_repository_is_not_found(world: World) -> None:
    root = world.client("root")
    made = await create(root)
    assert (await root.get(f"/agents/repos/octo/other/tasks/{made}")).status_code == 404
    assert (await root.get(f"/agents/repos/OCTO/HELLO/tasks/{made}")).status_code == 200


@pytest.mark.parametrize("etag", [None, '"x"'])
async def test_who_may_not_see_it_finds_nothing(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient, mallory: httpx.AsyncClient, etag: str | None
) -> None:
    made = await create(alice)
    headers = {"If-None-Match": etag} if etag else {}
    for target in (f"/agents/tasks/{made}", f"{TASKS}/{made}"):
        assert (await bob.get(target, headers=headers)).status_code == 200
        response = await mallory.get(target, headers=headers)
        assert response.status_code == 404
        assert response.json()["message"] == "Not Found"


@pytest.mark.parametrize("task_id", ["x", "00000000-0000-0000-0000-000000000000", "%00", "ü"])
async def test_an_unknown_task_is_not_found(alice: httpx.AsyncClient, task_id: str) -> None:
    assert (await alice.get(f"/agents/tasks/{task_id}")).status_code == 404
    assert (await alice.get(f"{TASKS}/{task_id}")).status_code == 404
