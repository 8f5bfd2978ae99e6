"""Limits as a client sees them."""

from __future__ import annotations

import httpx

from journeyman.api.ratelimit import Limits, RateOptions
from tests.unit.api.conftest import TASKS, World, create
from tests.unit.api.test_ratelimit import Clock


def client(world: World, user: str | None = "alice", **limits: int) -> httpx.AsyncClient:
    counted = Limits(RateOptions(**limits), Clock())
    return world.client(user, of=world.application(limits=counted))


async def test_each_request_counts_and_is_told(world: World) -> None:
    alice = client(world)
    first, second = await alice.get("/user"), await alice.get("/user")
    assert first.headers["x-ratelimit-limit"] == "5000"
    assert first.headers["x-ratelimit-remaining"] == "4999"
    assert second.headers["x-ratelimit-used"] == "2"
    assert second.headers["x-ratelimit-resource"] == "core"
    assert int(second.headers["x-ratelimit-reset"]) > Clock().now


async def test_over_the_limit_is_403_in_githubs_words(world: World) -> None:
    alice = client(world, per_hour=2)
    for _ in range(2):
        assert (await alice.get("/user")).status_code == 200
    response = await alice.get("/user")
    assert response.status_code == 403
    assert response.json()["message"].startswith("API rate limit exceeded for user ID ")
    assert response.headers["x-ratelimit-remaining"] == "0"
    assert "retry-after" not in response.headers


async def test_what_is_unchanged_is_not_counted(world: World) -> None:
    alice = client(world)
    etag = (await alice.get(TASKS)).headers["etag"]
    response = await alice.get(TASKS, headers={"If-None-Match": etag})
    assert response.status_code == 304
    assert response.headers["x-ratelimit-used"] == "1"


async def test_asking_for_the_limit_is_not_counted(world: World) -> None:
    alice = client(world)
    for _ in range(2):
        response = await alice.get("/rate_limit")
        assert response.json()["rate"]["used"] == 0
        assert response.json()["resources"]["core"]["remaining"] == 5000
    await alice.get("/user")
    assert (await alice.get("/rate_limit")).json()["resources"]["core"]["used"] == 1


async def test_an_ipv6_network_counts_as_one_stranger(world: World) -> None:
    application = world.application(limits=Limits(RateOptions(anonymous_per_hour=2), Clock()))

    async def left(address: str) -> str:
        transport = httpx.ASGITransport(application, client=(address, 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://forge.test") as nobody:
            return (await nobody.get("/meta")).headers["x-ratelimit-remaining"]

    assert await left("2001:db8:0:7::1") == "1"
    assert await left("2001:db8:0:7:ffff::2") == "0"
    assert await left("2001:db8:0:8::1") == "1"
    assert await left("192.0.2.1") == "1"
    assert await left("::ffff:192.0.2.1") == "0"
    assert await left("192.0.2.2") == "1"
    assert await left("fe80::1%eth0") == "1"


async def test_strangers_share_the_window_of_their_address(world: World) -> None:
    nobody = client(world, None, anonymous_per_hour=2)
    assert (await nobody.get("/meta")).headers["x-ratelimit-limit"] == "2"
    bad = {"Authorization": "token nonsense"}
    assert (await nobody.get("/user", headers=bad)).status_code == 401
    for headers in ({}, bad):
        response = await nobody.get("/user", headers=headers)
        assert response.status_code == 403
        assert response.json()["message"] == "API rate limit exceeded for 127.0.0.1."
    good = {"Authorization": f"token {world.tokens['alice']}"}
    assert (await nobody.get("/user", headers=good)).status_code == 200


async def test_a_burst_of_tasks_hits_the_secondary_limit(world: World) -> None:
    alice = client(world, writes_per_minute=2)
    made = [await create(alice), await create(alice)]
    response = await alice.post(TASKS, json={"prompt": "x"})
    assert response.status_code == 403
    assert "secondary rate limit" in response.json()["message"]
    assert response.json()["documentation_url"].endswith("secondary-rate-limits")
    assert response.headers["retry-after"] == "30"
    assert response.headers["x-ratelimit-remaining"] != "0"
    assert (await alice.get(TASKS)).json()["total_active_count"] == 2
    stopped = await alice.post(f"/agents/tasks/{made[0]}/cancel")
    assert stopped.status_code == 200, "stopping is never held up"


async def test_health_is_neither_limited_nor_counted(world: World) -> None:
    nobody = client(world, None, anonymous_per_hour=1)
    for _ in range(3):
        response = await nobody.get("/healthz")
        assert response.status_code == 200
        assert "x-ratelimit-limit" not in response.headers


async def test_without_limits_github_says_so(world: World) -> None:
    alice = client(world, per_hour=0)
    assert (await alice.get("/rate_limit")).status_code == 404
    assert "x-ratelimit-limit" not in (await alice.get("/user")).headers
