"""A conversation that grows past the model's window, against a server that enforces one."""

from __future__ import annotations

import re
from contextlib import AsyncExitStack, aclosing

import pytest
from pydantic_ai.messages import (
    ModelMessage,
    ModelRequest,
    ModelResponse,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)

from journeyman.agent import compaction
from journeyman.agent.compaction import ASK, BLANK, SUMMARY
from journeyman.agent.loop import Means, turn
from journeyman.agent.tools import Result, Toolbox
from journeyman.agent.tools.toolbox import Arguments, OnPartial, make_tool
from journeyman.agent.verdict import CONTINUE, Kind, Verdict
from journeyman.domain.events import EventType
from journeyman.llm.anthropic import messages as anthropic
from journeyman.llm.openai import chat
from journeyman.llm.provider import Options
from tests.peers.formats import Json, Say
from tests.peers.model_server import ModelServer
from tests.unit.agent.journal import Journal
from tests.unit.agent.sessions import QUICK, assert_same

WINDOW = 32_000


class Dig(Arguments):
    """Dig."""

    step: int
    chars: int


async def dig(arguments: Dig, on_partial: OnPartial) -> Result:
    return Result(f"result {arguments.step}\n" + "abcdefgh\n" * (arguments.chars // 9))


TOOLS = Toolbox([make_tool("dig", Dig, dig, read_only=True)])


def digging(turns: int, chars: int) -> object:
    """A model that counts its own steps by the newest result it can see."""

    def say(number: int, request: Json) -> Say:
        text = str(request["messages"])
        if ASK in text:
            steps = [int(n) for n in re.findall(r"dug to (\d+)", text)]
            return Say(f"The user wants gold. dug to {max(steps, default=0)}")
        done = max((int(n) for n in re.findall(r"(?:result|dug to) (\d+)", text)), default=0)
        if done >= turns:
            return Say("Gold.")
        return Say(f"dug to {done}", [("dig", {"step": done + 1, "chars": chars})])

    return say


async def carry(
    turns: int, chars: int, *, window: int = WINDOW, told: int | None = None, wire: object = chat
) -> tuple[Journal, Verdict, ModelServer]:
    """*told*: what the model is said to hold, when that is not true."""
    journal = Journal()
    journal.say("Find the gold, and do not wake the dragon.")
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(
            ModelServer(digging(turns, chars), window_tokens=window)  # type: ignore[arg-type]
        )
        address = server.base_url if wire is chat else server.base_url.removesuffix("/v1")
        options = Options(
            base_url=address, api_key="k", models=("m",), window_tokens=told or window, stream=False
        )
        provider = await stack.enter_async_context(aclosing(wire(options)))  # type: ignore[operator]
        conversation = journal.conversation("Be good.")
        means = Means(provider.model("m"), TOOLS, journal.emit, journal.publish, retries=QUICK)
        while (verdict := await turn(conversation, means)) == CONTINUE:
            if conversation.turns % 40 == 0:
                assert_same(conversation, journal.conversation("Be good."))
        assert_same(conversation, journal.conversation("Be good."))
    return journal, verdict, server


def kinds(journal: Journal) -> list[str]:
    return [event.data["kind"] for event in journal.all(EventType.COMPACTION)]


async def test_500_turns_work_with_a_window_of_32000_tokens() -> None:
    journal, verdict, server = await carry(500, 1_500)

    assert (verdict.kind, verdict.message) == (Kind.DONE, "Gold.")
    assert kinds(journal)
    assert len(kinds(journal)) < 60, "each costs the provider's cache"
    last = str(server.requests[-1]["messages"])
    assert "do not wake the dragon" in last
    assert "Be good." in last


async def test_results_that_nearly_fill_the_window_work_too() -> None:
    journal, verdict, _ = await carry(30, 28_000)

    assert (verdict.kind, verdict.message) == (Kind.DONE, "Gold.")
    assert kinds(journal)


@pytest.mark.parametrize("wire", [chat, anthropic])
async def test_a_window_that_was_thought_larger_is_found_out(wire: object) -> None:
    journal, verdict, _ = await carry(40, 4_000, window=16_000, told=200_000, wire=wire)

    assert (verdict.kind, verdict.message) == (Kind.DONE, "Gold.")
    assert set(kinds(journal)) == {"summarised"}


async def test_what_summarising_costs_is_counted() -> None:
    journal, _, server = await carry(60, 6_000)

    asked = sum(ASK in str(request) for request in server.requests)
    assert len(journal.all(EventType.USAGE)) == len(journal.all(EventType.MESSAGE)) + asked


async def test_a_short_conversation_is_left_alone() -> None:
    journal, _, _ = await carry(5, 500)

    assert kinds(journal) == []


def history(turns: int) -> list[ModelMessage]:
    made: list[ModelMessage] = [ModelRequest(parts=[UserPromptPart("Go")])]
    for n in range(turns):
        made.append(ModelResponse(parts=[TextPart(f"step {n}"), ToolCallPart("dig", {}, str(n))]))
        made.append(ModelRequest(parts=[ToolReturnPart("dig", "x" * 1000, str(n))]))
    return made


def test_no_result_is_ever_without_its_call() -> None:
    for keep in (0, 100, 1000, 10_000):
        messages = history(20)
        start = compaction.tail_from(messages, keep)
        assert isinstance(messages[start], ModelResponse)
        shorter = compaction.summarised(messages, "so far", start, 100)
        assert isinstance(shorter[1], ModelResponse)


def test_a_second_summary_replaces_the_first() -> None:
    once = compaction.summarised(history(4), "one", 3, 100)
    twice = compaction.summarised(once, "two", 1, 100)

    texts = [str(part.content) for part in twice[0].parts if isinstance(part, UserPromptPart)]
    assert texts == ["Go", f"{SUMMARY}\ntwo"]


def test_only_old_and_long_results_are_blanked() -> None:
    messages = compaction.blanked(history(3), 3)

    kept = [
        part.content
        for message in messages
        for part in message.parts
        if isinstance(part, ToolReturnPart)
    ]
    assert kept == [BLANK, "x" * 1000, "x" * 1000]
