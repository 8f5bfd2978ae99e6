"""Hooks in a session: at every moment of it, from the commit that it starts from."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from journeyman.domain.events import Event, EventType
from journeyman.worker.loop import TURN
from tests.conftest import git
from tests.integration.engine.customised import customised
from tests.integration.engine.machine import log, patch, steer
from tests.peers.model_server import Say, Status

pytestmark = [pytest.mark.sandbox, pytest.mark.engine]


def says(**said: Any) -> str:
    return f"echo '{json.dumps(said)}'"


LOOK_BACK = """python3 -c '
import json, sys
path = json.load(sys.stdin)["transcriptPath"]
events = [json.loads(line) for line in open(path)]
said = [one["data"]["content"] for one in events if one["type"] == "assistant.message"]
print(json.dumps({"kinds": [one["type"] for one in events], "last": said[-1]}))
'"""


def hooks_file(**hooks: list[dict[str, Any]]) -> dict[str, str]:
    return {".github/hooks/all.json": json.dumps({"version": 1, "hooks": hooks})}


def ran(events: list[Event]) -> Counter[str]:
    return Counter(e.data["hookType"] for e in events if e.type is EventType.HOOK_END)


def results(events: list[Event]) -> list[str]:
    ended = [event.data for event in events if event.type is EventType.TOOL_COMPLETE]
    return [(data.get("error") or {}).get("message") or data["result"]["content"] for data in ended]


async def test_every_moment_of_a_session(data: Path, source: Path) -> None:
    note = "cat >> ~/seen; echo >> ~/seen"
    once = "test -e ~/once || { touch ~/once; " + says(decision="block", reason="Test it.") + "; }"
    files = hooks_file(
        sessionStart=[{"bash": note}, {"bash": says(additionalContext="It is Monday.")}],
        userPromptSubmitted=[{"bash": note}],
        userPromptTransformed=[
            {"bash": says(modifiedTransformedPrompt="Not this.")},
            {"bash": says(modifiedTransformedPrompt="Make it so, in small steps.")},
            {"bash": f"{note}; {says(modifiedTransformedPrompt='')}"},
        ],
        preToolUse=[
            {"bash": says(permissionDecision="deny", permissionDecisionReason="no nets"),
             "matcher": "web_fetch"},
            {"bash": says(modifiedArgs={"command": "echo changed"}), "matcher": "bash"},
        ],
        postToolUse=[{"bash": "echo formatted > formatted.txt", "matcher": "create"}],
        postToolUseFailure=[{"bash": "echo look at the README; exit 2"}],
        errorOccurred=[{"bash": note}],
        agentStop=[{"bash": once}, {"bash": LOOK_BACK}],
        sessionEnd=[{"bash": "cat > ~/end; echo left > left.txt"}],
    )  # fmt: skip
    turns = [
        Say(
            calls=[("bash", {"command": "echo asked"}), ("web_fetch", {"url": "https://a.example"})]
        ),
        Say(
            calls=[("create", {"path": "new.txt", "content": "new\n"}), ("view", {"path": "none"})]
        ),
        Say("Finished."),
        Say("Tested."),
    ]
    async with customised(data, source, files, turns) as session:
        session.model.faults.append(Status(503))
        task = await session.task("Make it so")
        await session.machine.run(task)
        events = await log(session.world, task)
        assert await session.state(task) == "completed"
        first = session.told(1)
        assert first.index("It is Monday.") < first.index("Make it so, in small steps.")
        assert "Not this." not in first
        changed, denied, made, failed = results(events)
        assert changed.startswith("changed\n")
        assert 'has changed the arguments to: {"command": "echo changed"}' in changed
        assert denied == "Denied by preToolUse hook: no nets"
        assert "look at the README" in failed
        assert "README" not in made
        assert "Test it." in session.told(4)
        diff = await patch(session.world, task)
        assert "+formatted" in diff
        assert "+left" not in diff
    assert ran(events) == {
        "sessionStart": 2,
        "userPromptSubmitted": 1,
        "userPromptTransformed": 3,
        "preToolUse": 2,
        "postToolUse": 1,
        "postToolUseFailure": 1,
        "errorOccurred": 1,
        "agentStop": 6,  # of which the last come after the checks, that made it go on
        "sessionEnd": 1,
    }
    asked = [event.data for event in events if event.data.get("source") == "prompt"]
    assert [one["content"] for one in asked] == ["Make it so"], "the log has the user's words"
    seen = [event.data["output"] for event in events if "kinds" in event.data.get("output", ())]
    assert [one["last"] for one in seen] == ["Finished.", "Tested.", "Tested."]
    assert "user.message" in seen[0]["kinds"]
    assert len(seen[0]["kinds"]) < len(seen[1]["kinds"])
    said = [event.data for event in events if event.data.get("source") == "hooks"]
    assert [one["content"] for one in said] == ["It is Monday.", "Test it."]
    infos = [event.data.get("message") for event in events if event.type is EventType.SESSION_INFO]
    assert any(str(text).startswith("Hooks in use: sessionStart") for text in infos)


async def test_the_end_is_told_once_though_a_message_comes_during_the_delivery(
    data: Path, source: Path
) -> None:
    files = hooks_file(sessionEnd=[{"bash": "true"}])
    async with customised(data, source, files, [Say("Done."), Say("That, too.")]) as session:
        task = await session.task()
        verdict = await session.machine.work(task)
        await steer(session.world, task, "And that")
        assert await session.machine.worker.deliver(task.session.id, 1, verdict) == TURN
        await session.machine.run(task)
        assert await session.state(task) == "completed"
        events = await log(session.world, task)
    assert ran(events) == {"sessionEnd": 1}
    assert "And that" in str([event.data for event in events])


async def test_the_end_is_told_also_where_a_broken_mirror_took_another_sandbox(
    data: Path, source: Path
) -> None:
    files = hooks_file(sessionEnd=[{"bash": "cat new.txt"}])
    turns = [Say(calls=[("create", {"path": "new.txt", "content": "new\n"})]), Say("Done.")]
    async with customised(data, source, files, turns) as session:
        task = await session.task()
        verdict = await session.machine.work(task)
        mirror = session.machine.equipment.mirrors.path(task.repository.id)
        for path in (*mirror.glob("objects/pack/*.pack"), *mirror.glob("objects/??/*")):
            path.chmod(0o644)
            path.write_bytes(b"broken")
        await session.machine.run(task, verdict=verdict)
        assert list(mirror.parent.glob(".retired-*")), "it was mended"
        assert await session.state(task) == "completed"
        events = await log(session.world, task)
    (ended,) = [event.data for event in events if event.type is EventType.HOOK_END]
    assert (ended["hookType"], ended["output"]) == ("sessionEnd", "new")


async def test_what_the_agent_writes_into_hooks_is_not_run(data: Path, source: Path) -> None:
    files = hooks_file(postToolUse=[{"bash": "echo from the base >> ~/which"}])
    wish = files[".github/hooks/all.json"].replace("from the base", "of the agent")
    turns = [
        Say(calls=[("bash", {"command": f"cat > .github/hooks/all.json <<'END'\n{wish}\nEND"})]),
        Say(calls=[("bash", {"command": "cat ~/which"})]),
        Say(calls=[("bash", {"command": "cat ~/which"})]),
        Say("Done."),
    ]
    async with customised(data, source, files, turns) as session:
        task = await session.task()
        worker = session.machine.worker
        await worker.prepare(task.session.id, 1, {})
        for _ in range(2):
            await worker.turn(task.session.id, 1, TURN)
        # Another process goes on, with the files as the agent has left them.
        await session.machine.equip(session.machine.equipment)
        await session.machine.run(task)
        events = await log(session.world, task)
        assert ran(events) == {"postToolUse": 3}
        assert results(events)[-1].startswith("from the base\nfrom the base\n[exit 0")
        assert "of the agent" in await patch(session.world, task)
        # Nor in a later session of the task, which begins on what this one has pushed.
        followed = await steer(session.world, task, "Again")
        await session.machine.run(followed)
        events = await log(session.world, task)
        assert ran(events) == {"postToolUse": 6}
        assert results(events)[-1].startswith("from the base\nfrom the base\n[exit 0")
        # Nor where no branch holds the commit any more that the task has begun from.
        bare = session.world.parts.embedded.path(session.world.repository.id)
        for branch in git("for-each-ref", "--format=%(refname)", "refs/heads", cwd=bare).split():
            one = git("commit-tree", f"{branch}^{{tree}}", "-m", "One", cwd=bare).strip()
            git("update-ref", branch, one, cwd=bare)
        shutil.rmtree(session.machine.equipment.mirrors.path(session.world.repository.id))
        followed = await steer(session.world, task, "And again")
        await session.machine.run(followed)
        events = await log(session.world, task)
        assert ran(events) == {"postToolUse": 9}
        assert results(events)[-1].startswith("from the base\nfrom the base\n[exit 0")


async def test_sub_agents_and_what_may_not_be_asked(data: Path, source: Path) -> None:
    files = hooks_file(
        subagentStart=[{"bash": says(additionalContext="Be brief."), "matcher": "explore"}],
        subagentStop=[{"bash": says(modifiedResponse="[shortened]")}],
        preToolUse=[
            {"bash": says(permissionDecision="deny", permissionDecisionReason="nobody is here"),
             "matcher": "ask_user"}
        ],
    )  # fmt: skip
    task_call = {"description": "look", "prompt": "Look around", "agent": "explore"}
    turns = {
        "main": [
            Say(calls=[("ask_user", {"question": "Which?"})]),
            Say(calls=[("task", task_call)]),
            Say("Done."),
        ],
        "child": [Say("A very long story.")],
    }

    def turn(number: int, request: dict[str, Any]) -> Say:
        mine = turns["child" if "You are a sub-agent" in str(request["messages"][0]) else "main"]
        return mine[min(number, len(mine) - 1)]

    async with customised(data, source, files, turn) as session:
        events = await session.run()
        asked, given = results(events)
        assert asked == "Denied by preToolUse hook: nobody is here"
        assert given == "[shortened]"
        child = next(i for i, r in enumerate(session.model.requests) if "Look around" in str(r)
                     and "You are a sub-agent" in str(r))  # fmt: skip
        assert "Be brief.\\\\n\\\\nLook around" in json.dumps(session.told(child))
    assert ran(events) == {"preToolUse": 1, "subagentStart": 1, "subagentStop": 1}
    assert git("log", "--format=%s", cwd=source)
