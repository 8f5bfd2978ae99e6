"""One turn after another: over the script, and over a model behind real HTTP."""

from __future__ import annotations

import json

import pytest
from pydantic_ai.messages import ModelRequest, ToolReturnPart

from journeyman.agent.loop import PARALLEL
from journeyman.agent.tools import Toolbox
from journeyman.agent.tools.toolbox import Tool
from journeyman.agent.verdict import CONTINUE, Kind, Verdict
from journeyman.domain.events import EPHEMERAL, EventType, NewEvent
from journeyman.domain.sessions import Reason
from journeyman.llm.script import Script
from journeyman.sandbox import SandboxLost
from tests.peers.model_server import Say
from tests.unit.agent.journal import Journal, NotMine
from tests.unit.agent.sessions import (
    Bench,
    Served,
    step,
    to_the_end,
)


class TestScript:
    async def test_a_prompt_is_carried_to_its_end(self, bench: Bench) -> None:
        journal = Journal()
        journal.say("Mend it\n```sh\ndo one\n```\n```sh\ndo two\n```")

        verdict = await to_the_end(journal, Script(), bench.tools)

        assert verdict.kind is Kind.DONE
        assert bench.ran == ["do one", "do two"]
        assert bench.reports == ["Mend it"]
        assert journal.types()[:7] == [
            "user.message",
            "assistant.turn_start",
            "assistant.message",
            "assistant.usage",
            "tool.execution_start",
            "tool.execution_complete",
            "assistant.turn_start",
        ]

    async def test_a_failing_block_fails_the_session(self, bench: Bench) -> None:
        journal = Journal()
        journal.say("```sh\nfail here\n```\n```sh\ndo never\n```")

        verdict = await to_the_end(journal, Script(), bench.tools)

        assert (verdict.kind, verdict.reason) == (Kind.FAILED, Reason.COMMAND_FAILED)
        assert verdict.message == "Block 1 of 2 failed: `fail here` exited with 3."
        assert bench.ran == ["fail here"]

    async def test_a_prompt_without_a_block_fails_the_session(self, bench: Bench) -> None:
        journal = Journal()
        journal.say("Mend it")

        verdict = await to_the_end(journal, Script(), bench.tools)

        assert (verdict.kind, verdict.reason) == (Kind.FAILED, Reason.MODEL_NOT_CONFIGURED)

    async def test_the_end_stays_the_end(self, bench: Bench) -> None:
        journal = Journal()
        journal.say("Mend it")
        verdict = await to_the_end(journal, Script(), bench.tools)
        count = len(journal.events)

        assert await step(journal, Script(), bench.tools) == verdict
        assert len(journal.events) == count

    @pytest.mark.parametrize("station", range(1, 13))
    async def test_a_session_that_dies_anywhere_is_taken_up(
        self, bench: Bench, station: int
    ) -> None:
        """The worker dies at its nth append; the next one restores the files and goes on."""
        journal = Journal()
        journal.say("```sh\ndo one\n```\n```sh\ndo two\n```")
        left = iter(range(station, 0, -1))
        journal.stop_before = lambda event: next(left, 2) == 1
        try:
            verdict = await to_the_end(journal, Script(), bench.tools)
        except NotMine:
            journal.stop_before = lambda event: False
            journal.add(NewEvent(EventType.SESSION_RESUME, {"reason": "worker_lost", "run": 2}))
            verdict = await to_the_end(journal, Script(), bench.tools)

        assert verdict.kind is Kind.DONE
        assert [*dict.fromkeys(bench.ran)] == ["do one", "do two"]
        assert len(bench.ran) <= 3
        assert len(bench.reports) in {1, 2}


class TestModel:
    async def test_results_go_back_to_the_model(self, served: Served) -> None:
        session = await served([Say("Look.", [("bash", {"command": "do it"})]), Say("Done.")])

        verdict = await session.to_the_end()

        assert verdict == Verdict(Kind.DONE, "Done.")
        messages = session.server.requests[-1]["messages"]
        assert [m["role"] for m in messages] == ["system", "user", "assistant", "tool"]
        assert messages[-1]["content"] == "did it"

    async def test_what_readers_are_shown(self, served: Served) -> None:
        session = await served([Say("Look.", [("bash", {"command": "do it"})]), Say("Done.")])

        await session.to_the_end()

        message = session.journal.all(EventType.MESSAGE)[0].data
        (request,) = message["toolRequests"]
        assert message["content"] == "Look."
        assert (request["name"], request["arguments"]) == ("bash", {"command": "do it"})
        start = session.journal.all(EventType.TOOL_START)[0].data
        complete = session.journal.all(EventType.TOOL_COMPLETE)[0].data
        assert start["toolCallId"] == complete["toolCallId"] == request["toolCallId"]
        assert complete["result"] == {"content": "did it"}
        assert complete["success"] is True
        usage = session.journal.all(EventType.USAGE)[0].data
        assert (usage["inputTokens"], usage["outputTokens"], usage["cacheReadTokens"]) == (
            1000,
            100,
            500,
        )
        assert usage["cost"] is None
        assert usage["duration"] >= 0

    async def test_a_step_is_three_appends(self, served: Served) -> None:
        session = await served([Say("Look.", [("bash", {"command": "do it"})]), Say("Done.")])

        await session.step()

        assert session.journal.batches == 3, "turn start; reply with the call's start; result"

    async def test_deltas_are_shown_and_never_stored(self, served: Served) -> None:
        session = await served([Say("word " * 30, reasoning="hmm " * 30)])

        await session.to_the_end()

        message = session.journal.all(EventType.MESSAGE)[0].data
        shown = session.journal.shown
        text = [e.data["deltaContent"] for e in shown if e.type is EventType.MESSAGE_DELTA]
        thought = [e.data["deltaContent"] for e in shown if e.type is EventType.REASONING_DELTA]
        assert "".join(text) == message["content"]
        assert "".join(thought) == message["reasoningText"]
        assert {e.data["messageId"] for e in shown} == {message["messageId"]}
        assert not EPHEMERAL & {event.type for event in session.journal.events}

    async def test_the_log_knows_the_reply_before_a_tool_runs(self, served: Served) -> None:
        session = await served([Say("", [("bash", {"command": "do it"})])])
        session.journal.stop_before = lambda event: event.type is EventType.TOOL_START

        with pytest.raises(NotMine):
            await session.step()

        assert session.bench.ran == []

    async def test_losing_the_session_ends_the_turn_at_once(self, served: Served) -> None:
        session = await served([Say("", [("bash", {"command": "do it"})])])
        session.journal.stop_before = lambda event: True

        with pytest.raises(NotMine):
            await session.step()

        assert session.server.requests == []

    async def test_the_services_own_errors_are_not_the_models_business(
        self, served: Served
    ) -> None:
        session = await served([Say("", [("report_progress", {"commit_message": "stolen"})])])

        with pytest.raises(NotMine):
            await session.step()

    async def test_a_lost_sandbox_ends_the_turn(self, served: Served) -> None:
        calls = [("look", {"command": "wait a"}), ("look", {"command": "lose b"})]
        session = await served([Say("", calls)])

        with pytest.raises(SandboxLost):
            await session.step()

    async def test_live_output_comes_while_the_command_runs(self, served: Served) -> None:
        session = await served([Say("", [("bash", {"command": "print héllo"})])])

        await session.step()

        (partial,) = [e for e in session.journal.shown if e.type is EventType.TOOL_PARTIAL]
        assert partial.data["partialOutput"] == "héllo"


class TestCalls:
    async def test_those_that_only_read_run_at_once_the_others_in_order(
        self, served: Served
    ) -> None:
        calls = [
            ("look", {"command": "wait 1"}),
            ("look", {"command": "wait 2"}),
            ("bash", {"command": "wait 3"}),
            ("bash", {"command": "wait 4"}),
            ("look", {"command": "wait 5"}),
        ]
        session = await served([Say("", calls), Say("Done.")])

        await session.to_the_end()

        assert session.bench.ran == [f"wait {n}" for n in range(1, 6)]
        assert session.bench.most_running == 2
        tools = [m["content"] for m in session.server.requests[-1]["messages"][3:]]
        assert tools == [f"did {n}" for n in range(1, 6)]

    async def test_two_hundred_calls_run_a_few_at_a_time(self, served: Served) -> None:
        calls = [("look", {"command": f"wait {n}"}) for n in range(200)]
        session = await served([Say("", calls), Say("Done.")])

        assert (await session.to_the_end()).kind is Kind.DONE

        assert len(session.bench.ran) == 200
        assert session.bench.most_running == PARALLEL

    async def test_reading_touches_nothing_running_may(self, served: Served) -> None:
        turns = [Say("", [(name, {"command": "do it"})]) for name in ("look", "bash")]
        session = await served([*turns, Say("Done.")])
        conversation = session.journal.conversation()

        await session.step(conversation)
        assert not conversation.touched
        await session.step(conversation)
        assert conversation.touched


async def test_a_step_costs_the_same_at_the_end_of_a_long_conversation(bench: Bench) -> None:
    """Nothing but the request may grow: no event may hold more than its own turn."""
    journal = Journal()
    journal.say("\n".join(f"```sh\ndo {n}\n```" for n in range(200)))

    assert (await to_the_end_quietly(journal, bench.tools)).kind is Kind.DONE

    sizes = [len(json.dumps([e.data, e.record])) for e in journal.events[1:]]
    assert max(sizes) < 1500
    requests = [m for m in journal.conversation().messages if isinstance(m, ModelRequest)]
    assert sum(isinstance(p, ToolReturnPart) for r in requests for p in r.parts) == 201


async def to_the_end_quietly(journal: Journal, tools: Toolbox) -> Verdict:
    conversation = journal.conversation()
    while (verdict := await step(journal, Script(), tools, conversation)) == CONTINUE:
        pass
    return verdict


def test_a_tool_is_described_by_the_docstring_of_its_arguments(bench: Bench) -> None:
    tool: Tool | None = bench.tools.find("bash")

    assert tool is not None
    assert tool.definition.description == "Run a command."
    assert tool.definition.parameters_json_schema == {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "command": {"type": "string"},
            "timeout": {"type": "integer", "default": 120},
        },
        "required": ["command"],
    }
