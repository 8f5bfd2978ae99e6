"""The two lists: filters, pages, counts, ETags."""

from __future__ import annotations

import re

import httpx
import pytest

from tests.unit.api.conftest import TASKS, World, create

OWN = "/agents/tasks"


def rels(response: httpx.Response) -> dict[str, str]:
    return {rel: url for url, rel in re.findall(r'<(.+?)>; rel="(\w+)"', response.headers["link"])}


async def ids(client: httpx.AsyncClient, target: str) -> list[str]:
    response = await client.get(target)
    assert response.status_code == 200
    return [task["id"] for task in response.json()["tasks"]]


async def test_an_empty_list_has_counts(alice: httpx.AsyncClient) -> None:
    for target in (TASKS, OWN):
        assert (await alice.get(target)).json() == {
            "tasks": [],
            "total_active_count": 0,
            "total_archived_count": 0,
        }


async def test_the_newest_is_first_unless_asked_otherwise(alice: httpx.AsyncClient) -> None:
    made = [await create(alice, f"task {number}") for number in range(3)]
    assert await ids(alice, TASKS) == made[::-1]
    assert await ids(alice, f"{TASKS}?sort=created_at&direction=asc") == made


async def test_a_client_that_follows_next_sees_every_task_once(alice: httpx.AsyncClient) -> None:
    made = [await create(alice, f"task {number}") for number in range(5)]
    found, target = [], f"/api/v3{TASKS}?per_page=2&state=queued,idle"
    while target:
        response = await alice.get(target)
        found += [task["id"] for task in response.json()["tasks"]]
        target = rels(response).get("next", "")
    assert found == made[::-1]


async def test_link_is_githubs_on_each_page(alice: httpx.AsyncClient) -> None:
    for number in range(3):
        await create(alice, f"task {number}")
    first = await alice.get(f"{TASKS}?per_page=2")
    last = await alice.get(f"{TASKS}?per_page=2&page=2")
    assert set(rels(first)) == {"next", "first"}
    assert set(rels(last)) == {"prev", "last", "first"}
    assert set(rels(await alice.get(f"{OWN}?per_page=2&page=2"))) == {"last", "first"}


async def test_a_page_beyond_the_end_is_empty(alice: httpx.AsyncClient) -> None:
    await create(alice)
    assert await ids(alice, f"{TASKS}?page=1000000000&per_page=100") == []


async def test_filters_select(world: World, alice: httpx.AsyncClient) -> None:
    first = await create(alice)
    second = await create(world.client("root"))
    await alice.post(f"/agents/tasks/{first}/cancel")
    user = (await alice.get("/user")).json()["id"]
    assert await ids(alice, f"{TASKS}?state=cancelled") == [first]
    assert await ids(alice, f"{TASKS}?state=queued,in_progress") == [second]
    assert await ids(alice, f"{TASKS}?creator_id={user}") == [first]
    assert await ids(alice, f"{TASKS}?creator_id[]={user}&creator_id[]=99&state=queued") == []
    assert await ids(alice, f"{TASKS}?since=2100-01-01") == []
    assert await ids(alice, OWN) == [first]


async def test_archived_tasks_have_their_own_list(alice: httpx.AsyncClient) -> None:
    kept, archived = await create(alice), await create(alice)
    await alice.post(f"/agents/tasks/{archived}/cancel")
    await alice.post(f"/agents/tasks/{archived}/archive")
    assert await ids(alice, TASKS) == [kept]
    assert await ids(alice, f"{TASKS}?is_archived=true") == [archived]
    counts = (await alice.get(TASKS)).json()
    assert (counts["total_active_count"], counts["total_archived_count"]) == (1, 1)


@pytest.mark.parametrize(
    "query", ["state=open", "page=0", "per_page=101", "sort=name", "since=x", "is_archived=2"]
)
async def test_a_bad_filter_is_422_and_named(alice: httpx.AsyncClient, query: str) -> None:
    for target in (TASKS, OWN):
        response = await alice.get(f"{target}?{query}")
        assert response.status_code == 422
        assert response.json()["message"] == "Validation Failed"
        assert response.json()["errors"][0]["code"] == "invalid"


async def test_the_own_list_ignores_creator_id(alice: httpx.AsyncClient) -> None:
    assert (await alice.get(f"{OWN}?creator_id=x")).status_code == 200
    assert (await alice.get(f"{TASKS}?creator_id=x")).status_code == 422


async def test_who_may_read_lists_and_who_may_not_finds_nothing(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient, mallory: httpx.AsyncClient
) -> None:
    made = await create(alice)
    assert await ids(bob, TASKS) == [made]
    assert await ids(bob, OWN) == []
    assert (await mallory.get(TASKS)).status_code == 404


async def test_an_unchanged_list_is_304_until_something_changes(alice: httpx.AsyncClient) -> None:
    made = await create(alice)
    for target in (TASKS, OWN):
        etag = (await alice.get(target)).headers["etag"]
        again = await alice.get(target, headers={"If-None-Match": etag})
        assert (again.status_code, again.headers["etag"]) == (304, etag)
        other = await alice.get(f"{target}?per_page=1", headers={"If-None-Match": etag})
        assert other.status_code == 200
    await alice.post(f"/agents/tasks/{made}/cancel")
    assert (await alice.get(OWN, headers={"If-None-Match": etag})).status_code == 200
