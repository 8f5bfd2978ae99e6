"""The patch of a task that a worker has carried out, as clients ask for it."""

from __future__ import annotations

from dataclasses import replace

import httpx
import pytest

from journeyman.api import routes
from journeyman.service.patches import Patches
from tests.conftest import World
from tests.contract.openapi import validator
from tests.integration.engine.machine import WRITE, Machine, create, find, patch

pytestmark = [pytest.mark.sandbox, pytest.mark.engine]


async def asked(world: World, task_id: str, limit_bytes: int) -> httpx.Response:
    """`GET …/patch` of a server that makes none larger than *limit_bytes*."""
    parts = world.parts
    patches = Patches(
        parts.database,
        parts.services.tasks,
        parts.forge,
        parts.mirrors,
        parts.publisher,
        limit_bytes=limit_bytes,
    )
    application = routes.build_app(replace(parts.services, patches=patches))
    headers = {"Authorization": f"Bearer {world.tokens['alice']}"}
    transport = httpx.ASGITransport(application)
    async with httpx.AsyncClient(transport=transport, base_url="http://forge.test") as client:
        answer = await client.get(path := f"/agents/tasks/{task_id}/patch", headers=headers)
    validator.check("GET", path, answer)
    return answer


async def test_one_over_the_limit_is_refused_and_says_where_else_it_is(
    world: World, machine: Machine
) -> None:
    task = await create(world, WRITE)
    await machine.run(task)
    whole = (await patch(world, task)).encode()
    fits = await asked(world, task.id, len(whole))
    assert (fits.status_code, fits.content) == (200, whole)
    refused = await asked(world, task.id, len(whole) - 1)
    assert refused.status_code == 422
    (error,) = refused.json()["errors"]
    assert error["code"] == "unprocessable"
    assert f"more than {len(whole) - 1} bytes" in error["message"]
    assert f"branch '{(await find(world, task)).session.head_ref}'" in error["message"]
