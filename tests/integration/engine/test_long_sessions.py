"""Sessions that outgrow their model's window, or outlive their model."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from journeyman.agent.compaction import ASK
from journeyman.domain.events import Event, EventType
from journeyman.domain.tasks import Task
from tests.conftest import World
from tests.integration.engine.customised import MODEL, customised
from tests.integration.engine.machine import patch
from tests.peers.model_server import Json, ModelServer, Say, Status

pytestmark = [pytest.mark.sandbox, pytest.mark.engine]

TURNS = 500
EACH = 25
"""Steps between two that change a file."""
WINDOW = 32_000
PAGE = 100
FILES = {"README.md": "Count here.\n"}
PROMPT = "Count up to five hundred, and do not wake the dragon."


def counting(_number: int, request: Json) -> Say:
    """A model that knows how far it is by what it can still see."""
    text = str(request["messages"])
    done = max((int(n) for n in re.findall(r"counted to (\d+)", text)), default=0)
    if ASK in text:
        return Say(f"The user wants a count. It has counted to {done}.")
    if done >= TURNS:
        return Say("Counted.")
    n = done + 1
    write = f"echo {n} >> count.txt; " if n % EACH == 0 else ""
    command = f"{write}yes 'abc def ghi' | head -c 1500; echo counted to {n}"
    return Say("", [("bash", {"command": command})])


async def whole_log(world: World, task: Task) -> list[Event]:
    alice, found = await world.principal("alice"), list[Event]()
    while True:
        number = len(found) // PAGE + 1
        page = await world.parts.services.events.page(alice, task.id, number, PAGE)
        found += page.events
        if len(page.events) < PAGE:
            return found


def configure(data: Path, model: ModelServer, more: str = "") -> None:
    """Beside the usual provider."""
    (data / "journeyman.toml").write_text(
        f'{more}[providers.other]\nkind = "openai-compatible"\nbase_url = "{model.base_url}"\n'
        f'models = ["{MODEL}"]\nwindow_tokens = {WINDOW}\n'
    )


async def test_500_turns_work_with_a_window_of_32000_tokens(data: Path, source: Path) -> None:
    async with ModelServer(counting, window_tokens=WINDOW) as model:
        configure(data, model, '[models]\npreference = ["other:gpt-test"]\n')
        async with customised(data, source, FILES, []) as session:
            task = await session.task(PROMPT)
            await session.machine.run(task, most=TURNS + 100)
            assert await session.state(task) == "completed"
            events = await whole_log(session.world, task)
            written = await patch(session.world, task)
        last = str(model.requests[-1]["messages"])
    counted = re.findall(r"^\+(\d+)$", written, re.MULTILINE)
    assert [int(n) for n in counted] == list(range(EACH, TURNS + 1, EACH)), "once, in order"
    assert sum(event.type is EventType.TOOL_COMPLETE for event in events) == TURNS
    compacted = [event for event in events if event.type is EventType.COMPACTION]
    assert 0 < len(compacted) < TURNS // 8, "each costs the provider's cache"
    assert "do not wake the dragon" in last


async def test_another_provider_goes_on_in_the_middle_of_a_task(data: Path, source: Path) -> None:
    turns = [
        Say("First.", [("bash", {"command": "echo one > one.txt"})]),
        Say("Then.", [("bash", {"command": "echo two > two.txt"})]),
        Say("Done."),
    ]
    async with ModelServer(turns) as other:
        configure(data, other)
        async with customised(data, source, FILES, turns) as session:
            task = await session.task("Write two files")
            worker = session.machine.worker
            verdict = await worker.prepare(task.session.id, 1, {})
            verdict = await worker.turn(task.session.id, 1, verdict)
            session.model.faults += [Status(401)] * 10
            await session.machine.run(task, verdict=verdict)
            assert await session.state(task) == "completed"
            written = await patch(session.world, task)
            events = await whole_log(session.world, task)
    assert "+one" in written
    assert "+two" in written
    (change,) = [event for event in events if event.type is EventType.MODEL_CHANGE]
    assert change.data["newModel"] == f"other:{MODEL}"
    assert "First." in str(other.requests[0]["messages"])
