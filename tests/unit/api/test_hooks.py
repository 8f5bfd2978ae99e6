"""`/repos/{owner}/{repo}/agents/hooks`, in GitHub's form; every response is validated."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from journeyman.domain.hooks import Response
from tests.unit.api.conftest import World, create

HOOKS = "/repos/octo/hello/agents/hooks"
URL = "https://receiver.example/hook"
CONFIG = {"url": URL, "content_type": "json", "secret": "s3cret"}


async def make(client: httpx.AsyncClient, **more: Any) -> dict[str, Any]:
    made = await client.post(HOOKS, json={"name": "web", "config": CONFIG, **more})
    assert made.status_code == 201, made.text
    found: dict[str, Any] = made.json()
    return found


async def deliver(world: World, *answers: Response) -> None:
    """What is due comes to *answers*, one after another."""
    waiting = list(answers)
    while claimed := await world.deliveries.claim(1):
        request = world.deliveries.request(claimed[0])
        answer = waiting.pop(0) if waiting else Response(200, "OK")
        await world.deliveries.settle(claimed[0], answer, request)


async def test_a_hook_is_made_read_changed_and_deleted(alice: httpx.AsyncClient) -> None:
    made = await make(alice)
    assert made["events"] == ["agent_task"]
    assert made["config"] == {**CONFIG, "secret": "********", "insecure_ssl": "0"}
    assert made["last_response"] == {"code": None, "status": "unused", "message": None}
    one = f"{HOOKS}/{made['id']}"
    assert made["url"] == f"http://forge.test{one}"
    assert (await alice.get(one)).json() == made
    assert (await alice.get(HOOKS)).json() == [made]
    changed = await alice.patch(
        one, json={"active": False, "add_events": ["agent_artifact"], "config": made["config"]}
    )
    assert changed.json()["events"] == ["agent_task", "agent_artifact"]
    assert changed.json()["active"] is False
    assert changed.json()["config"] == made["config"]
    assert (await alice.delete(one)).status_code == 204
    assert (await alice.get(one)).status_code == 404


async def test_an_update_leaves_alone_what_it_does_not_name(
    world: World, alice: httpx.AsyncClient
) -> None:
    made = await make(alice, events=["*"])
    one = f"{HOOKS}/{made['id']}"
    await alice.patch(one, json={"config": {"secret": "********"}})
    (claimed,) = await world.deliveries.claim(1)
    assert "X-Hub-Signature-256" in world.deliveries.request(claimed).headers
    await alice.patch(one, json={"config": {"secret": ""}})
    assert "X-Hub-Signature-256" in world.deliveries.request(claimed).headers, "as it was claimed"
    found = (await alice.get(one)).json()
    assert "secret" not in found["config"]
    assert found["events"] == ["*"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "url"),
        ({"config": {"url": ""}}, "url"),
        ({"config": {"url": "ftp://receiver.example"}}, "url"),
        ({"config": {"url": "https://user:secret@receiver.example"}}, "url"),
        ({"config": {"url": "https://receiver.example:99999"}}, "url"),
        ({"config": {"url": "https://receiver example"}}, "url"),
        ({"config": {"url": 7}}, "url"),
        ({"config": {"url": URL, "content_type": "xml"}}, "content_type"),
        ({"config": {"url": URL, "insecure_ssl": "yes"}}, "insecure_ssl"),
        ({"config": {"url": URL, "secret": "x" * 1001}}, "secret"),
        ({"config": {"url": URL}, "events": ["push"]}, "events"),
        ({"config": {"url": URL}, "events": []}, "events"),
        ({"config": {"url": URL}, "events": "agent_task"}, "events"),
        ({"config": {"url": URL}, "active": "no"}, "active"),
    ],
)
async def test_what_is_wrong_is_named(
    alice: httpx.AsyncClient, body: dict[str, Any], field: str
) -> None:
    answer = await alice.post(HOOKS, json=body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == field
    assert (await alice.get(HOOKS)).json() == []


async def test_the_same_hook_twice_is_refused(alice: httpx.AsyncClient) -> None:
    await make(alice)
    again = await alice.post(HOOKS, json={"config": CONFIG})
    assert again.status_code == 422
    assert again.json()["errors"][0]["message"] == "Hook already exists on this repository"


async def test_there_are_no_more_than_twenty(alice: httpx.AsyncClient) -> None:
    for number in range(20):
        await make(alice, config={"url": f"{URL}{number}"})
    assert (await alice.post(HOOKS, json={"config": CONFIG})).status_code == 422
    page = await alice.get(f"{HOOKS}?per_page=15&page=2")
    assert len(page.json()) == 5


async def test_only_who_may_write_sees_them(
    world: World, alice: httpx.AsyncClient, bob: httpx.AsyncClient, mallory: httpx.AsyncClient
) -> None:
    made = await make(alice)
    await deliver(world)
    one = f"{HOOKS}/{made['id']}"
    for method, path in (
        ("GET", HOOKS),
        ("POST", HOOKS),
        ("GET", one),
        ("PATCH", one),
        ("DELETE", one),
        ("POST", f"{one}/pings"),
        ("GET", f"{one}/deliveries"),
        ("GET", f"{one}/deliveries/1"),
        ("POST", f"{one}/deliveries/1/attempts"),
    ):
        body = {"config": CONFIG} if (method, path) == ("POST", HOOKS) else None
        assert (await bob.request(method, path, json=body)).status_code == 403, (method, path)
        assert (await mallory.request(method, path, json=body)).status_code == 404, (method, path)
    assert (await alice.get(one)).status_code == 200


async def test_a_hook_of_another_repository_is_not_found(
    world: World, alice: httpx.AsyncClient
) -> None:
    made = await make(alice)
    root = world.client("root")
    other = f"/repos/octo/other/agents/hooks/{made['id']}"
    assert (await root.get(other)).status_code == 404
    assert (await root.get(f"{other}/deliveries")).status_code == 404
    assert (await root.delete(other)).status_code == 404
    for strange in ("0", "x", "9" * 30):
        assert (await root.get(f"{HOOKS}/{strange}")).status_code == 404


async def test_a_fine_grained_token_needs_the_permission(world: World) -> None:
    for permissions, status in (
        ({"agent_tasks": "write"}, 403),
        ({"repository_hooks": "read"}, 200),
    ):
        secret, _ = await world.administration.create_fine_grained_token(
            "alice", permissions=permissions
        )
        world.tokens["fine"] = secret
        assert (await world.client("fine").get(HOOKS)).status_code == status


async def test_deliveries_are_listed_shown_and_repeated(
    world: World, alice: httpx.AsyncClient
) -> None:
    made = await make(alice)
    task_id = await create(alice)
    await deliver(world, Response(200, "OK"), Response(500, "broken", {"X": "y"}, "oops", 0.25))
    several = f"{HOOKS}/{made['id']}/deliveries"
    listed = (await alice.get(several)).json()
    assert [(one["event"], one["status_code"]) for one in listed] == [
        ("agent_task", 500),
        ("ping", 200),
    ]
    shown = (await alice.get(f"{several}/{listed[0]['id']}")).json()
    assert {key: shown[key] for key in listed[0]} == listed[0]
    assert shown["request"]["payload"]["task"]["id"] == task_id
    assert shown["request"]["headers"]["X-GitHub-Delivery"] == shown["guid"]
    assert shown["response"] == {"headers": {"X": "y"}, "payload": "oops"}
    assert shown["duration"] == 0.25
    repeated = await alice.post(f"{several}/{listed[0]['id']}/attempts")
    assert (repeated.status_code, repeated.json()) == (202, {})
    await deliver(world)
    newest, *_ = (await alice.get(several)).json()
    assert (newest["guid"], newest["redelivery"]) == (shown["guid"], True)
    found = (await alice.get(f"{HOOKS}/{made['id']}")).json()
    assert found["last_response"]["code"] == 200


async def test_deliveries_come_in_pages_and_by_success(
    world: World, alice: httpx.AsyncClient
) -> None:
    made = await make(alice)
    one = f"{HOOKS}/{made['id']}"
    for _ in range(4):
        assert (await alice.post(f"{one}/pings")).status_code == 204
    await deliver(world, Response(200, "OK"), Response(None, "timed out"))
    first = await alice.get(f"{one}/deliveries?per_page=3")
    rest = await alice.get(first.links["next"]["url"])
    assert "next" not in rest.links
    ids = [found["id"] for found in first.json() + rest.json()]
    assert len(ids) == 5
    assert ids == sorted(ids, reverse=True)
    failed = (await alice.get(f"{one}/deliveries?status=failure")).json()
    assert [found["status_code"] for found in failed] == [0]
    assert len((await alice.get(f"{one}/deliveries?status=success")).json()) == 4
    assert (await alice.get(f"{one}/deliveries?cursor=x")).status_code == 422
    assert (await alice.get(f"{one}/deliveries?status=maybe")).status_code == 422
