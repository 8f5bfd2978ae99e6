"""What a user says while the agent works."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.engine.customised import customised
from tests.integration.engine.machine import patch, steer
from tests.peers.model_server import Say

pytestmark = [pytest.mark.sandbox, pytest.mark.engine]


async def test_it_is_heard_after_the_call_that_runs_and_the_work_goes_on(
    data: Path, source: Path
) -> None:
    turns = [
        Say(calls=[("bash", {"command": "echo one > one.txt"})]),
        Say(calls=[("bash", {"command": "echo un > one.txt"})]),
        Say("In French."),
    ]
    async with customised(data, source, {"README.md": "Hello.\n"}, turns) as session:
        task = await session.task("Write one")
        worker = session.machine.worker
        verdict = await worker.prepare(task.session.id, 1, {})
        verdict = await worker.turn(task.session.id, 1, verdict)
        await steer(session.world, task, "In French, please")
        await session.machine.run(task, verdict=verdict)
        assert await session.state(task) == "completed"
        assert "+un" in await patch(session.world, task)
        first, second = (request["messages"] for request in session.model.requests[:2])
    assert "In French" not in str(first)
    result, said = second[-2:]
    assert (result["role"], said["role"]) == ("tool", "user")
    assert said["content"] == "In French, please"
