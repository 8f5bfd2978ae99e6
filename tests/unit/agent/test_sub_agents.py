"""Sub-agents: a part of the work in a conversation of its own, within the log of the first."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from typing import Any

import pytest

from journeyman.agent.conversation import Conversation
from journeyman.agent.loop import INTERRUPTED
from journeyman.agent.tools import Helper, Toolbox, task
from journeyman.agent.verdict import CONTINUE, Kind, Verdict
from journeyman.domain.events import Event, EventType, NewEvent
from journeyman.sandbox import SandboxLost
from tests.peers.model_server import Say
from tests.unit.agent.journal import NotMine
from tests.unit.agent.sessions import Bench, Served, Setup, results

HELPERS = {
    "general": Helper("does all.", "You are a helper."),
    "explore": Helper("only looks.", "You only look.", {"look"}.__contains__),
}


def delegate(prompt: str, agent: str = "general") -> tuple[str, dict[str, Any]]:
    return "task", {"description": "a part", "prompt": prompt, "agent": agent}


class Script:
    """What each agent says, by the words of its first message."""

    def __init__(self, **turns: Sequence[Say]) -> None:
        self.turns = turns
        self.requests: dict[str, list[dict[str, Any]]] = {}

    def __call__(self, number: int, request: dict[str, Any]) -> Say:
        said = next(m["content"] for m in request["messages"] if m["role"] == "user")
        word = said.split()[0]
        self.requests.setdefault(word, []).append(request)
        return self.turns[word][min(number, len(self.turns[word]) - 1)]


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    bench = Bench()
    bench.tools = Toolbox([*bench.tools.all, task.tool(HELPERS, bench.tools)])
    async with AsyncExitStack() as stack:
        yield Served(bench, stack)


async def start(served: Served, script: Script) -> Setup:
    return await served(script)


async def to_the_end(session: Setup) -> Verdict:
    return await session.to_the_end()


def nested(events: Sequence[Event]) -> list[str]:
    return [event.type.value for event in events if event.data.get("parentToolCallId")]


class TestAPart:
    async def test_its_last_message_is_the_calls_result(self, served: Served) -> None:
        script = Script(
            Do=[Say("I delegate.", [delegate("Find it")]), Say("Found.")],
            Find=[Say("", [("bash", {"command": "grep it"})]), Say("It is in a.py.")],
        )
        session = await start(served, script)

        assert await to_the_end(session) == Verdict(Kind.DONE, "Found.")

        assert session.bench.ran == ["grep it"]
        assert results(session.journal)[-1] == "It is in a.py."
        first, second = script.requests["Find"]
        assert first["messages"][0]["content"] == "You are a helper."
        assert "task" not in [tool["function"]["name"] for tool in first["tools"]]
        assert len(second["messages"]) == 4
        last = script.requests["Do"][-1]["messages"]
        assert [m["role"] for m in last] == ["system", "user", "assistant", "tool"]
        assert last[-1]["content"] == "It is in a.py."

    async def test_its_events_carry_the_call_and_each_turn_is_one_of_the_session(
        self, served: Served
    ) -> None:
        script = Script(
            Do=[Say("", [delegate("Find it")]), Say("Found.")],
            Find=[Say("", [("bash", {"command": "x y"})]), Say("Here.")],
        )
        session = await start(served, script)

        conversation = session.journal.conversation("Be good.")
        assert await session.step(conversation) == CONTINUE
        assert conversation.touched, "it has run a command"
        assert len(conversation.children) == 1
        assert await session.step(conversation) == CONTINUE
        assert conversation.children == {}

        assert nested(session.journal.events) == [
            "user.message",
            "assistant.turn_start",
            "assistant.message",
            "assistant.usage",
            "tool.execution_start",
            "tool.execution_complete",
            "assistant.turn_start",
            "assistant.message",
            "assistant.usage",
        ]
        (call,) = [e for e in session.journal.events if e.data.get("toolName") == "task"][:1]
        ids = {e.data.get("parentToolCallId") for e in session.journal.events} - {None}
        assert ids == {call.data["toolCallId"]}

    async def test_several_work_at_the_same_time_with_the_tools_they_may_have(
        self, served: Served
    ) -> None:
        script = Script(
            Do=[Say("", [delegate("A x", "explore"), delegate("B x", "explore")]), Say("Both.")],
            A=[Say("", [("look", {"command": "wait a"})]), Say("A done.")],
            B=[Say("", [("bash", {"command": "rm all"})]), Say("B done.")],
        )
        session = await start(served, script)

        assert await to_the_end(session) == Verdict(Kind.DONE, "Both.")

        assert session.bench.ran == ["wait a"]
        told = [m["content"] for m in script.requests["Do"][-1]["messages"] if m["role"] == "tool"]
        assert told == ["A done.", "B done."]
        refused = script.requests["B"][-1]["messages"][-1]["content"]
        assert "There is no tool 'bash'; there are: look." in refused

    async def test_call_ids_are_different_also_when_they_are_answered_at_one_time(
        self, served: Served
    ) -> None:
        say = Say("", [("look", {"command": "wait a"})], call_ids=["call_0"])
        script = Script(
            Do=[Say("", [delegate(f"{n} x") for n in "ABC"]), Say("All.")],
            **{n: [say, Say("Done.")] for n in "ABC"},
        )
        session = await start(served, script)

        assert await to_the_end(session) == Verdict(Kind.DONE, "All.")

        begun = session.journal.all(EventType.TOOL_START)
        assert len({event.data["toolCallId"] for event in begun}) == len(begun) == 6

    async def test_what_comes_after_it_in_a_reply_waits_for_it(self, served: Served) -> None:
        change = ("bash", {"command": "change it"})
        script = Script(
            Do=[Say("", [delegate("Find it"), change]), Say("Ok.")],
            Find=[Say("", [("look", {"command": "at it"})]), Say("Here.")],
        )
        session = await start(served, script)

        assert (await to_the_end(session)).kind is Kind.DONE

        assert session.bench.ran == ["at it", "change it"]

    async def test_an_unknown_agent_is_told(self, served: Served) -> None:
        script = Script(Do=[Say("", [delegate("x", "wizard")]), Say("Ok.")])
        session = await start(served, script)

        assert (await to_the_end(session)).kind is Kind.DONE

        assert results(session.journal) == [
            "There is no agent 'wizard'; there are: general, explore."
        ]


class TestItsEnd:
    async def test_a_failure_is_a_result(self, served: Served) -> None:
        script = Script(
            Do=[Say("", [delegate("Find it")]), Say("Ok.")],
            Find=[
                Say("Half way.", [("look", {"command": "x y"})]),
                Say("x", finish="content_filter"),
            ],
        )
        session = await start(served, script)

        assert await to_the_end(session) == Verdict(Kind.DONE, "Ok.")

        said = results(session.journal)[-1]
        assert said.startswith("The sub-agent was stopped: ")
        assert said.endswith("It last said:\nHalf way.")

    async def test_it_is_stopped_when_a_limit_is_near(self, served: Served) -> None:
        script = Script(
            Do=[Say("", [delegate("Find it")]), Say("Ok.")],
            Find=[Say("Looking.", [("look", {"command": "x y"})])],
        )
        session = await start(served, script)
        await session.step()
        data = {"content": "The time is nearly up.", "source": "limit", "limit": "time"}
        session.journal.add(NewEvent(EventType.USER_MESSAGE, data))

        assert await to_the_end(session) == Verdict(Kind.DONE, "Ok.")

        assert "A limit of the session is near" in results(session.journal)[-1]
        assert len(script.requests["Find"]) == 1


class TestResume:
    async def test_it_goes_on_from_the_log_after_a_worker_was_lost(self, served: Served) -> None:
        script = Script(
            Do=[Say("", [delegate("Find it")]), Say("Ok.")],
            Find=[
                Say("", [("bash", {"command": "one x"})]),
                Say("", [("bash", {"command": "lose x"})]),
                Say("Here."),
            ],
        )
        session = await start(served, script)
        await session.step()
        with pytest.raises(SandboxLost):
            await session.step()
        session.journal.add(NewEvent(EventType.SESSION_RESUME, {"run": 2}))

        assert await to_the_end(session) == Verdict(Kind.DONE, "Ok.")

        assert session.bench.ran == ["one x", "lose x"]
        told = [
            m["content"] for m in script.requests["Find"][-1]["messages"] if m["role"] == "tool"
        ]
        assert told[0].endswith("did x")
        assert told[1] == INTERRUPTED
        assert len(script.requests["Find"]) == 3, "no reply was asked for twice"

    @pytest.mark.parametrize("type_", [EventType.USER_MESSAGE, EventType.TOOL_COMPLETE])
    async def test_a_loss_at_its_edges_repeats_nothing(
        self, served: Served, type_: EventType
    ) -> None:
        script = Script(
            Do=[Say("", [delegate("Find it")]), Say("Ok.")], Find=[Say("Here."), Say("Twice.")]
        )
        session = await start(served, script)
        session.journal.stop_before = lambda event: event.type is type_
        with pytest.raises(NotMine):
            await session.step()
        session.journal.stop_before = lambda event: False
        session.journal.add(NewEvent(EventType.SESSION_RESUME, {"run": 2}))

        assert await to_the_end(session) == Verdict(Kind.DONE, "Ok.")
        assert results(session.journal) == ["Here."]


def test_a_conversation_that_was_folded_is_instructed_once() -> None:
    conversation = Conversation()
    conversation.instruct("Be brief.")
    conversation.instruct("Be brief.")

    assert len(conversation.messages) == 1
    assert json.dumps([str(part) for part in conversation.messages[0].parts]).count("brief") == 1
