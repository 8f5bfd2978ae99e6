"""MCP servers in a session: whose they are, what they are given, and what is told of them."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from pathlib import Path

import pytest

from journeyman.domain.events import EventType
from journeyman.runner.equipment import Exposed
from journeyman.sandbox import HOME
from journeyman.worker.loop import TURN
from tests.integration.engine.customised import MODEL, customised
from tests.integration.engine.machine import count, until
from tests.peers import mcp_server
from tests.peers.model_server import Say

pytestmark = [pytest.mark.sandbox, pytest.mark.engine]

PLAIN = Path(mcp_server.__file__).read_text()
SECRET = "very-secret-value"
AGENT = f"""---
description: Looks things up.
tools: [view, plain/echo, plain/environment, settled/*]
model: {MODEL}
mcp-servers:
  plain:
    type: stdio
    command: python3
    args: [tools/server.py]
    tools: ["*"]
    env:
      TOKEN: ${{{{ secrets.COPILOT_MCP_TOKEN }}}}
  settled:
    command: never
---
You look things up.
"""


async def _called() -> bool:
    """Whether a server has been asked to count: seen in the home of its sandbox, from outside."""
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (process / f"root{HOME}/calls").exists():
                return True
    return False


async def test_servers_of_an_agent_and_of_the_settings(data: Path, source: Path) -> None:
    files = {"tools/server.py": PLAIN, ".github/agents/finder.agent.md": AGENT}
    exposed = Exposed(
        env={"WORD": "for commands"},
        masked=frozenset({SECRET}),
        mcp={"COPILOT_MCP_TOKEN": SECRET},
    )
    turns = [
        Say(calls=[("plain-echo", {"text": "hello"}), ("plain-environment", {}), ("bash", {})]),
        Say(calls=[("settled-die", {}), ("plain-fail", {})]),
        Say("Done."),
    ]
    async with customised(data, source, files, turns, exposed=exposed) as session:
        await session.set_servers(
            {
                "settled": {"command": "python3", "args": ["tools/server.py"], "colour": "red"},
                "away": {"type": "http", "url": "https://example.invalid/$COPILOT_MCP_PATH"},
            }
        )
        events = await session.run(agent="finder")
        assert session.offered() >= {"plain-echo", "plain-environment", "settled-files", "view"}
        assert session.offered().isdisjoint({"plain-fail", "bash"})
        told = session.told(1)
        assert "hello" in told
        assert "There is no tool" in told
        # Its own server has the secret; nobody who reads the log, and no model, gets to see it.
        assert '\\"TOKEN\\": \\"******\\"' in told.replace("\\\\", "\\")
        assert "WORD" not in told
        assert SECRET not in str(events)
    (loaded,) = [event.data for event in events if event.type is EventType.MCP_SERVERS]
    by_name = {one["name"]: one for one in loaded["servers"]}
    assert {name: (one["status"], one["source"]) for name, one in by_name.items()} == {
        "plain": ("connected", "agent"),
        "settled": ("connected", "settings"),
        "away": ("failed", "settings"),
    }
    said = [e.data["message"] for e in events if e.data.get("infoType") == "customisation_warning"]
    assert "MCP server 'settled': unknown key 'colour' is ignored" in said
    assert "MCP server 'away' refers to COPILOT_MCP_PATH, which no secret or variable has" in said
    assert any("MCP server 'away' is not there" in message for message in said)
    assert any("The MCP server settled has ended; it said: out of ideas" in one for one in said)
    starts = [event.data for event in events if event.type is EventType.TOOL_START]
    assert json.loads(json.dumps(starts[0]["arguments"])) == {"text": "hello"}


async def test_a_call_that_was_cut_off_is_told_and_not_repeated(data: Path, source: Path) -> None:
    turns = [
        Say(calls=[("plain-count", {"text": "60"}), ("bash", {"command": "echo after"})]),
        Say(calls=[("plain-files", {"text": "/home/agent/calls"})]),
        Say("Done."),
    ]
    async with customised(data, source, {"tools/server.py": PLAIN}, turns) as session:
        await session.set_servers({"plain": {"command": "python3", "args": ["tools/server.py"]}})
        task = await session.task()
        machine = session.machine
        await machine.worker.prepare(task.session.id, 1, {})
        turning = asyncio.create_task(machine.worker.turn(task.session.id, 1, TURN))

        await until(_called)
        # The worker is gone in the middle of the call, and another takes over.
        await machine.equip(machine.equipment)
        with suppress(asyncio.CancelledError):
            await turning
        await machine.run(task)
        assert await session.state(task) == "completed"
        events = await session.log(task)
        assert count(events, EventType.MCP_SERVERS) == 2
    ended = [event.data for event in events if event.type is EventType.TOOL_COMPLETE]
    interrupted, after, calls = ended
    assert interrupted["toolName"] == "plain-count"
    assert interrupted["error"]["message"].startswith("Interrupted: the worker was lost")
    assert after["error"]["message"].startswith("Not run: an earlier call")
    assert calls["result"]["content"].splitlines()[1:] == ["called"]
