"""What was spent, for those who may see it."""

from __future__ import annotations

import httpx

from journeyman.domain.events import EventType, NewEvent
from tests.unit.api.conftest import World, create


async def test_it_is_told_by_day_repository_user_and_model(
    world: World, alice: httpx.AsyncClient, mallory: httpx.AsyncClient
) -> None:
    principal = await world.services.identity.authenticate(world.tokens["alice"])
    task_id = await create(alice, "Say hello")
    session_id = (await world.services.tasks.get(principal, task_id)).task.session.id
    held = (await world.ledger.take(session_id)).session
    spent = {"model": "large", "cost": 2_000_000_000, "inputTokens": 900, "outputTokens": 100}
    unknown = {"model": "own", "cost": None, "inputTokens": 5, "outputTokens": 1}
    told = [NewEvent(EventType.USAGE, spent), NewEvent(EventType.USAGE, unknown)]
    await world.ledger.append(held, told)
    amounts = {"amount": 2_000_000_000, "input_tokens": 905, "output_tokens": 101}

    for target in ("/agents/usage?days=7", "/agents/repos/octo/hello/usage?days=7"):
        found = (await alice.get(target)).json()
        assert found["total"] == amounts
        assert [day["amount"] for day in found["days"]] == [*[0] * 6, 2_000_000_000]
        assert found["repositories"] == [{"name": "octo/hello", **amounts}]
        (user,) = found["users"]
        assert user == {"name": user["name"], **amounts}
        assert [model["name"] for model in found["models"]] == ["large", "own"]

    assert (await mallory.get("/agents/usage")).json()["total"]["amount"] == 0
    assert (await mallory.get("/agents/repos/octo/hello/usage")).status_code == 404
    assert (await alice.get("/agents/usage?days=400")).status_code == 422
    assert (await alice.get("/agents/usage?days=x")).status_code == 422
