"""The loop with its real tools in a real sandbox: what a model does there really happens."""

from __future__ import annotations

from contextlib import aclosing

import pytest

from journeyman.agent.loop import Means, turn
from journeyman.agent.tools import Jobs, tools_for
from journeyman.agent.verdict import CONTINUE, Kind, Verdict
from journeyman.domain.events import EventType
from journeyman.domain.sessions import Reason
from journeyman.llm import Model
from journeyman.llm.openai import chat
from journeyman.llm.provider import Options
from journeyman.llm.script import Script
from journeyman.sandbox import SandboxLost
from tests.peers.model_server import ModelServer, Say
from tests.unit.agent.journal import Journal
from tests.unit.agent.tools.bench import Bench

pytestmark = pytest.mark.sandbox


async def carry(journal: Journal, model: Model, bench: Bench) -> Verdict:
    reports: list[str] = []

    async def report(commit_message: str, pr_description: str) -> str:
        reports.append(commit_message)
        return "committed"

    jobs = Jobs(bench.box)
    tools = tools_for(bench.box, jobs, report_progress=report, allow_ask=False)
    conversation = journal.conversation("Be good.")
    verdict = CONTINUE
    while verdict == CONTINUE:
        verdict = await turn(conversation, Means(model, tools, journal.emit, journal.publish))
    return verdict


async def test_a_script_changes_the_workspace(bench: Bench) -> None:
    await bench.put("a.py", "x = 1\n")
    journal = Journal()
    journal.say("Raise x\n```sh\nsed -i s/1/2/ a.py\n```\n```sh\ngrep -q 2 a.py\n```")

    assert (await carry(journal, Script(), bench)).kind is Kind.DONE
    assert await bench.get("a.py") == b"x = 2\n"


async def test_a_script_stops_where_it_fails(bench: Bench) -> None:
    journal = Journal()
    journal.say("```sh\ntouch one; exit 4\n```\n```sh\ntouch two\n```")

    verdict = await carry(journal, Script(), bench)

    assert verdict.reason is Reason.COMMAND_FAILED
    assert verdict.message == "Block 1 of 2 failed: `touch one; exit 4` exited with 4."
    assert (await bench.text("bash", command="ls")).startswith("one\n[exit 0")


async def test_a_model_works_with_every_tool(bench: Bench) -> None:
    await bench.put("calc.py", "def add(a, b):\n    return a - b\n")
    check = "from calc import add\nassert add(2, 2) == 4\n"
    turns = [
        Say("Look.", [("view", {"path": "."}), ("search", {"pattern": "a - b"})]),
        Say("Test.", [("create", {"path": "check.py", "content": check})]),
        Say("Run.", [("bash", {"command": "python3 check.py"})]),
        Say("Mend.", [("edit", {"path": "calc.py", "old": "a - b", "new": "a + b"})]),
        Say("Again.", [("bash", {"command": "python3 check.py && printf 'ok \\377'"})]),
        Say("Save.", [("report_progress", {"commit_message": "Add rightly"})]),
        Say("add() now adds."),
    ]
    journal = Journal()
    journal.say("add() subtracts")
    async with ModelServer(turns) as server:
        options = Options(base_url=server.base_url, models=("m",))
        async with aclosing(chat(options)) as provider:
            verdict = await carry(journal, provider.model("m"), bench)

    assert verdict == Verdict(Kind.DONE, "add() now adds.")
    assert await bench.get("calc.py") == b"def add(a, b):\n    return a + b\n"
    success = [event.data["success"] for event in journal.all(EventType.TOOL_COMPLETE)]
    assert success == [True, True, True, False, True, True, True]
    sent = [m["content"] for m in server.requests[-1]["messages"] if m["role"] == "tool"]
    assert "AssertionError" in sent[3]
    assert sent[5].startswith("ok \ufffd\n[exit 0")


async def test_a_sandbox_that_dies_ends_the_turn_not_the_conversation(bench: Bench) -> None:
    journal = Journal()
    journal.say("```sh\necho one\n```")
    await bench.box.close()

    with pytest.raises(SandboxLost):
        await carry(journal, Script(), bench)

    assert list(journal.conversation().pending) == ["script_1"]
