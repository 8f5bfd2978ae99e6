"""Repositories under a former name: 301 for reading, 307 for the rest, and git as before."""

from __future__ import annotations

import httpx
import pytest

from journeyman.domain.errors import AppError
from tests.unit.api.conftest import TASKS, World, create

MOVED = {"also": {301, 307}}


async def test_reading_is_led_to_the_new_name(world: World, alice: httpx.AsyncClient) -> None:
    made = await create(alice)
    await world.administration.rename_repository("octo/hello", "Greeting")
    for prefix in ("", "/api/v3"):
        target = f"{prefix}{TASKS}/{made}?x=%2F%26"
        response = await alice.get(target, extensions=MOVED)
        assert response.status_code == 301
        wanted = f"http://forge.test{prefix}/agents/repos/octo/Greeting/tasks/{made}?x=%2F%26"
        assert response.headers["location"] == response.json()["url"] == wanted
        followed = await alice.get(target, extensions=MOVED, follow_redirects=True)
        assert followed.json()["id"] == made
    repository = await alice.get("/repos/octo/hello", extensions=MOVED, follow_redirects=True)
    assert repository.json()["full_name"] == "octo/Greeting"


async def test_writing_is_sent_again_as_it_was(world: World, alice: httpx.AsyncClient) -> None:
    await world.administration.rename_repository("octo/hello", "greeting")
    body = {"prompt": "Fix it"}
    assert (await alice.post(TASKS, json=body, extensions=MOVED)).status_code == 307
    made = await alice.post(TASKS, json=body, extensions=MOVED, follow_redirects=True)
    assert (made.status_code, made.json()["name"]) == (201, "Fix it")


async def test_ghs_own_routes_follow_by_themselves(world: World, alice: httpx.AsyncClient) -> None:
    await world.administration.rename_repository("octo/hello", "greeting")
    jobs = "/agents/swe/v1/jobs/octo/hello"
    made = await alice.post(jobs, json={"problem_statement": "Fix it"})
    assert (await alice.get(f"{jobs}/{made.json()['job_id']}")).json() == made.json()
    query = '{repository(owner:"octo",name:"hello"){nameWithOwner}}'
    found = (await alice.post("/graphql", json={"query": query})).json()
    assert found == {"data": {"repository": {"nameWithOwner": "octo/greeting"}}}


async def test_who_may_not_see_it_learns_no_name(
    world: World, alice: httpx.AsyncClient, mallory: httpx.AsyncClient
) -> None:
    await world.administration.rename_repository("octo/hello", "greeting")
    assert (await mallory.get(TASKS)).status_code == 404


async def test_a_name_that_is_used_again_is_the_new_ones(
    world: World, alice: httpx.AsyncClient
) -> None:
    root = world.client("root")
    for name, new in (("octo/hello", "one"), ("octo/other", "hello")):
        await world.administration.rename_repository(name, new)
    assert (await root.get("/repos/octo/hello")).json()["name"] == "hello"
    await world.administration.rename_repository("octo/one", "two")
    led = await root.get("/repos/octo/one", extensions=MOVED)
    assert led.headers["location"].endswith("/repos/octo/two")


async def test_back_and_forth_leads_nowhere_else(world: World, alice: httpx.AsyncClient) -> None:
    await world.administration.rename_repository("octo/hello", "greeting")
    await world.administration.rename_repository("octo/greeting", "hello")
    assert (await alice.get("/repos/octo/hello")).status_code == 200
    led = await alice.get("/repos/octo/greeting", extensions=MOVED)
    assert led.headers["location"].endswith("/repos/octo/hello")


@pytest.mark.parametrize(
    ("name", "new"), [("octo/nothing", "x"), ("octo/hello", "a b"), ("octo/hello", "other")]
)
async def test_what_cannot_be_renamed_says_why(world: World, name: str, new: str) -> None:
    with pytest.raises(AppError):
        await world.administration.rename_repository(name, new)
