"""Agents of others at work: a small one, in a real sandbox, driven step by step."""

from __future__ import annotations

import asyncio
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from journeyman import adapters
from journeyman.agent.acp import External, Permissions
from journeyman.domain.errors import AppError
from journeyman.domain.events import Event, EventType
from journeyman.domain.limits import Limits
from journeyman.domain.repositories import Repository
from journeyman.domain.sessions import Reason, State
from journeyman.domain.tasks import NewTask, Task
from journeyman.llm import openai
from journeyman.llm.gateway import Gateway
from journeyman.llm.provider import Options
from journeyman.llm.registry import Registry
from tests.conftest import World
from tests.integration.engine.machine import Machine, count, find, log, patch, steer, until
from tests.peers.model_server import ModelServer, Say

pytestmark = [pytest.mark.sandbox, pytest.mark.engine]

PROGRAM = Path(__file__).parents[2] / "peers/acp_agent.py"
COMMAND = ("/usr/bin/python3", "-c", PROGRAM.read_text())
SMALL = External("small", COMMAND)
CONFIGURED = f"""
[acp.small]
command = ["{COMMAND[0]}", "{COMMAND[1]}", '''{COMMAND[2]}''']
"""


@pytest.fixture
def data(tmp_path: Path, migrated: Path) -> Path:
    """A data directory with an empty database and the agent in its configuration."""
    made = Path(shutil.copytree(migrated, tmp_path / "data"))
    (made / "journeyman.toml").write_text(CONFIGURED)
    return made


@pytest.fixture
async def outside(world: World, machine: Machine) -> Machine:
    externals = adapters.externals(world.parts.config)
    await machine.equip(replace(machine.equipment, externals=externals))
    return machine


async def having(machine: Machine, external: External) -> None:
    """From now on *external* is the agent `acp:small`."""
    await machine.equip(replace(machine.equipment, externals={"small": external}))


async def given(world: World, *orders: str, limits: Limits | None = None) -> Task:
    new = NewTask("\n".join(orders), custom_agent="acp:small")
    if limits is not None:
        new = replace(new, limits=limits)
    alice, access = await world.principal("alice"), await world.access("alice")
    return await world.parts.services.tasks.create(alice, access, new)


def texts(events: list[Event], kind: EventType, field: str) -> list[str]:
    return [
        str(event.data[field]) for event in events if event.type is kind and field in event.data
    ]


async def test_its_work_is_logged_and_delivered_as_ours(world: World, outside: Machine) -> None:
    task = await given(
        world, "plan Write it", "noise", "say Working.", "run echo one > one.txt; echo told; exit 0"
    )
    await outside.run(task)
    ended = await find(world, task)
    assert ended.session.state is State.COMPLETED, ended.session.error
    assert "+one" in await patch(world, task)
    events = await log(world, task)
    started = next(e for e in events if e.type is EventType.SESSION_START)
    assert (started.data["customAgent"], started.data["model"]) == ("acp:small", "acp:small")
    assert texts(events, EventType.PLAN, "steps") == [
        "[{'content': 'Write it', 'status': 'in_progress'}]"
    ]
    done = next(e for e in events if e.type is EventType.TOOL_COMPLETE and e.data["success"])
    assert done.data["toolName"] == "bash"
    assert done.data["result"]["content"] == "told\n"
    assert "Working." in texts(events, EventType.MESSAGE, "content")
    assert texts(events, EventType.MESSAGE, "content")[-1] == "I have ended."
    used = next(e for e in events if e.type is EventType.USAGE)
    assert (used.data["inputTokens"], used.data["cost"]) == (7, None)
    (checked,) = (e for e in events if e.type is EventType.CHECKS)
    assert {"name": "tests", "status": "passed"}.items() <= checked.data["results"][0].items()
    assert not any(outside.equipment.workspaces.glob("[!.]*"))


async def test_its_model_is_reached_without_the_key(world: World, machine: Machine) -> None:
    external = replace(
        SMALL, model="local:gpt-test", env={"MODEL_URL": "{url}", "MODEL": "{model}"}
    )
    async with ModelServer([Say("Bonjour.")]) as peer:
        options = Options("local", peer.base_url, "real-key", ("gpt-test",))
        models = Registry([openai.chat(options)])
        equipment = replace(
            machine.equipment,
            models=models,
            externals={"small": external},
            endpoint=lambda model_id: Gateway(
                "openai-compatible", options, model_id.partition(":")[2]
            ),
        )
        await machine.equip(equipment)
        task = await given(
            world,
            "model",
            'run env; curl -sS -d \'{"model": "gpt-5"}\' $MODEL_URL/chat/completions',
        )
        await machine.run(task)
        await models.aclose()
    assert peer.keys == ["Bearer real-key"]
    events = await log(world, task)
    said = texts(events, EventType.MESSAGE, "content")
    assert "Bonjour." in said[0]
    output = next(e for e in events if e.type is EventType.TOOL_COMPLETE).data["result"]["content"]
    assert "MODEL_URL=http://127.0.0.1:4891\n" in output
    assert "The model 'gpt-5' is not configured; there is: gpt-test." in output
    assert "real-key" not in str(events)
    assert [e.data["inputTokens"] for e in events if e.type is EventType.USAGE] == [1000]
    started = next(e for e in events if e.type is EventType.SESSION_START)
    assert started.data["model"] == "local:gpt-test"


@pytest.mark.parametrize(("answer", "done"), [("Allow once", True), ("Better not", False)])
async def test_a_permission_is_the_users_to_give(
    world: World, machine: Machine, answer: str, done: bool
) -> None:
    await having(machine, replace(SMALL, permissions=Permissions.ASK))
    task = await given(world, "ask echo one > one.txt")
    await machine.run(task)
    asked = await find(world, task)
    assert asked.session.state is State.WAITING_FOR_USER
    (question,) = (e for e in await log(world, task) if e.type is EventType.INPUT_REQUESTED)
    assert question.data["question"] == "May the agent do this? echo one > one.txt"
    assert question.data["choices"] == ["Allow once", "Reject"]
    await steer(world, task, answer)
    # The next one is told what was said, and asks again.
    again = "ask echo one > one.txt"
    await steer(world, task, again)
    await machine.run(task, 2)
    ended = await find(world, task)
    assert ended.session.state is State.COMPLETED, ended.session.error
    assert ("+one" in await patch(world, task)) is done
    assert count(await log(world, task), EventType.INPUT_REQUESTED) == 1


async def test_permission_can_be_refused_for_all(world: World, machine: Machine) -> None:
    await having(machine, replace(SMALL, permissions=Permissions.DENY))
    task = await given(world, "ask echo one > one.txt")
    await machine.run(task)
    assert (await find(world, task)).session.state is State.COMPLETED
    assert "Not allowed: echo" in str(texts(await log(world, task), EventType.MESSAGE, "content"))


async def test_its_question_is_the_sessions(world: World, outside: Machine) -> None:
    task = await given(world, "question Which colour?")
    await outside.run(task)
    assert (await find(world, task)).session.state is State.WAITING_FOR_USER
    (asked,) = (e for e in await log(world, task) if e.type is EventType.INPUT_REQUESTED)
    assert (asked.data["question"], asked.data["choices"]) == ("Which colour?", ["red", "blue"])
    await steer(world, task, "blue")
    await steer(world, task, "question Which colour?")
    await outside.run(task, 2)
    assert (await find(world, task)).session.state is State.COMPLETED
    assert "So it is blue." in str(texts(await log(world, task), EventType.MESSAGE, "content"))


@pytest.mark.parametrize("order", ["crash", "flood"])
async def test_one_that_is_lost_is_followed_by_another(
    world: World, outside: Machine, order: str
) -> None:
    task = await given(world, "run echo one > one.txt", order)
    await outside.run(task)
    ended = await find(world, task)
    assert ended.session.state is State.COMPLETED, ended.session.error
    assert "+one" in await patch(world, task)
    told = texts(await log(world, task), EventType.SESSION_INFO, "message")
    (lost,) = (text for text in told if "is gone" in text)
    assert "It is started again with the story so far" in lost
    assert ("exit code 3: out of luck" in lost) is (order == "crash")


async def test_one_that_never_starts_ends_the_session(world: World, machine: Machine) -> None:
    await having(machine, replace(SMALL, command=("no-such-agent",)))
    task = await given(world, "say hello")
    await machine.run(task)
    ended = await find(world, task)
    assert (ended.session.state, ended.session.state_reason) == (State.FAILED, Reason.AGENT_FAILED)
    assert ended.session.error is not None
    assert "no-such-agent" in ended.session.error


@pytest.mark.parametrize(
    ("external", "order", "reason", "words"),
    [
        (SMALL, "refuse", Reason.MODEL_REFUSED, "refused the task"),
        (replace(SMALL, mode="yolo"), "say x", Reason.AGENT_FAILED, "no mode yolo"),
    ],
    ids=["refusal", "unknown mode"],
)
async def test_what_it_cannot_do_ends_the_session(
    world: World, machine: Machine, external: External, order: str, reason: Reason, words: str
) -> None:
    await having(machine, external)
    task = await given(world, order)
    await machine.run(task)
    ended = await find(world, task)
    assert (ended.session.state, ended.session.state_reason) == (State.FAILED, reason)
    assert words in (ended.session.error or "")


async def test_a_message_interrupts_it(world: World, outside: Machine) -> None:
    task = await given(world, "run echo one > one.txt; sleep 60")
    running = asyncio.create_task(outside.run(task))
    await until(lambda: begun(world, task))
    await steer(world, task, "run echo two > two.txt")
    await running
    ended = await find(world, task)
    assert ended.session.state is State.COMPLETED, ended.session.error
    assert "+two" in (made := await patch(world, task))
    assert "+one" in made


async def test_a_cancel_ends_it(world: World, outside: Machine) -> None:
    task = await given(world, "run echo one > one.txt", "hang")
    running = asyncio.create_task(outside.run(task))
    await until(lambda: begun(world, task))
    alice = await world.principal("alice")
    await world.parts.services.sessions.cancel(alice, task.id)
    await running
    assert (await find(world, task)).session.state is State.CANCELLED
    assert "+one" in await patch(world, task)


async def test_the_time_limit_ends_it(world: World, outside: Machine) -> None:
    task = await given(world, "run sleep 60", limits=Limits(minutes=0.1))
    await outside.run(task)
    assert (await find(world, task)).session.state is State.TIMED_OUT


async def test_another_machine_goes_on(world: World, outside: Machine, tmp_path: Path) -> None:
    task = await given(world, "run echo one > one.txt", "hang")
    verdict = await outside.worker.prepare(task.session.id, 1, {})
    while count(await log(world, task), EventType.CHECKPOINT) == 0:
        verdict = await outside.worker.turn(task.session.id, 1, verdict)
    other = Machine(world, tmp_path / "other")
    await having(other, SMALL)
    await steer(world, task, "run cat one.txt > two.txt")
    await other.run(task)
    await other.worker.stop()
    ended = await find(world, task)
    assert ended.session.state is State.COMPLETED, ended.session.error
    assert (await patch(world, task)).count("+one") == 2


async def test_what_is_not_configured_is_refused(world: World, outside: Machine) -> None:
    alice, access = await world.principal("alice"), await world.access("alice")
    with pytest.raises(AppError, match=r"no agent acp:large is configured .* there is: acp:small"):
        await world.parts.services.tasks.create(
            alice, access, NewTask("x", custom_agent="ACP:Large")
        )
    # It was there when the task was made, and is not any more.
    task = await given(world, "say x")
    await outside.equip(replace(outside.equipment, externals={}))
    await outside.run(task)
    ended = await find(world, task)
    assert (ended.session.state, ended.session.state_reason) == (
        State.FAILED,
        Reason.CUSTOM_AGENT_NOT_FOUND,
    )


MEMORY = "/home/agent/memory"


@pytest.fixture
async def remembering(machine: Machine) -> Machine:
    await having(machine, replace(SMALL, env={"MEMORY": MEMORY}))
    return machine


async def test_its_own_memory_outlives_it(world: World, remembering: Machine) -> None:
    task = await given(world, "remember blue", "question Which colour?")
    await remembering.run(task)
    await steer(world, task, "blue")
    await steer(world, task, "recall")
    await remembering.run(task, 2)
    ended = await find(world, task)
    assert ended.session.state is State.COMPLETED, ended.session.error
    said = str(texts(await log(world, task), EventType.MESSAGE, "content"))
    assert "I remember ['blue']." in said
    assert "This I have said before." not in said


async def test_it_hears_what_was_said_while_it_was_gone(world: World, remembering: Machine) -> None:
    task = await given(world, "remember blue", "run sleep 60")
    verdict = await remembering.worker.prepare(task.session.id, 1, {})
    while not await begun(world, task):
        verdict = await remembering.worker.turn(task.session.id, 1, verdict)
    await having(remembering, replace(SMALL, env={"MEMORY": MEMORY}))
    await steer(world, task, "run echo one > one.txt")
    await remembering.run(task)
    assert (await find(world, task)).session.state is State.COMPLETED
    assert "+one" in await patch(world, task)


async def test_without_its_memory_it_is_told_the_story(world: World, remembering: Machine) -> None:
    task = await given(world, "remember blue", "question Which colour?")
    await remembering.run(task)
    await steer(world, task, "blue")
    await steer(world, task, f"run test -e {MEMORY} || echo as told")
    await remembering.equipment.sandboxes.remove(remembering.equipment.workspace(task.session.id))
    await remembering.run(task, 2)
    ended = await find(world, task)
    assert ended.session.state is State.COMPLETED, ended.session.error
    assert "as told" in str([e.data for e in await log(world, task)])


async def test_what_it_remembers_and_cannot_live_with_is_given_up(
    world: World, remembering: Machine
) -> None:
    task = await given(world, "remember poison", "say Working.", "run true", "crash")
    await remembering.run(task)
    ended = await find(world, task)
    assert ended.session.state is State.COMPLETED, ended.session.error
    told = texts(await log(world, task), EventType.SESSION_INFO, "message")
    gone = [text for text in told if "is gone" in text]
    assert ["out of luck" in gone[0], "my memory is bad" in gone[1], len(gone)] == [True, True, 2]


SERVERS = {
    "bare": {"command": "notes", "args": ["--all"], "tools": ["*"]},
    "away": {"url": "https://mcp.example/", "tools": ["*"]},
    "old": {"type": "sse", "url": "https://mcp.example/sse", "tools": ["*"]},
    "key": {"command": "notes", "args": ["$COPILOT_MCP_KEY"], "tools": ["*"]},
    "env": {"command": "notes", "env": {"KEY": "k"}, "tools": ["*"]},
    "header": {"url": "https://mcp.example/", "headers": {"X-Key": "k"}, "tools": ["*"]},
    "some": {"command": "notes", "tools": ["read"]},
    "broken": {"type": "local"},
}
KEPT_BACK = {
    "old": "is not passed on: the agent knows no servers of its kind, sse",
    "key": "is not passed on to the agent: every command of the session could read COPILOT_MCP_KEY",
    "env": "is not passed on to the agent: every command of the session could read its env then",
    "header": "is not passed on to the agent: every command of the session could read its headers",
    "some": "is not passed on to the agent: it would be given all of its tools, and only some are",
    "broken": "is not used: command is missing",
}


async def test_it_is_given_the_servers_that_are_given_nothing(
    world: World, machine: Machine
) -> None:
    async def settings(_repository: Repository) -> dict[str, Any]:
        return {"mcpServers": SERVERS}

    await machine.equip(replace(machine.equipment, mcp=settings, externals={"small": SMALL}))
    task = await given(world, "servers")
    await machine.run(task)
    events = await log(world, task)
    (said,) = texts(events, EventType.MESSAGE, "content")
    assert json.loads(said.partition("Servers: ")[2].partition("I have")[0]) == [
        {"name": "bare", "command": "/usr/bin/env", "args": ["notes", "--all"], "env": []},
        {"type": "http", "name": "away", "url": "https://mcp.example/", "headers": []},
    ]
    told = texts(events, EventType.SESSION_INFO, "message")
    for name, why in KEPT_BACK.items():
        assert [text for text in told if f"MCP server {name!r} {why}" in text], told


async def begun(world: World, task: Task) -> bool:
    return count(await log(world, task), EventType.TOOL_START) > 0
