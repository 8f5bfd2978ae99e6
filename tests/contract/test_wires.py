"""What every provider keeps, each on its own wire format over real HTTP, streamed and whole."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass

import pytest
from pydantic_ai.messages import (
    BinaryContent,
    ModelMessage,
    ModelMessagesTypeAdapter,
    ModelRequest,
    SystemPromptPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_ai.tools import ToolDefinition

from journeyman.llm import ContextOverflow, Delta, Model, ModelError, ModelRefused, Reply
from journeyman.llm.anthropic import messages
from journeyman.llm.bedrock import converse
from journeyman.llm.google import gemini
from journeyman.llm.openai import chat, openrouter, responses
from journeyman.llm.provider import Hosted, Options
from tests.peers.model_server import Cut, Fault, ModelServer, Raw, Reset, Say, Stall, Status, Turns

BASH = ToolDefinition(
    name="bash",
    description="Run a command.",
    parameters_json_schema={
        "type": "object",
        "properties": {"command": {"type": "string"}},
        "required": ["command"],
        "additionalProperties": False,
    },
)


@dataclass(frozen=True)
class Wire:
    provider: Callable[[Options], Hosted]
    name: str
    model: str
    root: bool = False
    """Whether its address has no version at its end."""


WIRES = {
    "chat": Wire(chat, "openai", "gpt-5.4"),
    "responses": Wire(responses, "openai", "gpt-5.4"),
    "openrouter": Wire(openrouter, "openrouter", "anthropic/claude-sonnet-4.6"),
    "anthropic": Wire(messages, "anthropic", "claude-sonnet-4-6", root=True),
    "bedrock": Wire(converse, "bedrock", "us.anthropic.claude-sonnet-4-6", root=True),
    "google": Wire(gemini, "google", "gemini-2.5-pro", root=True),
}


class Seat:
    """A model behind one wire, and the server that plays it."""

    def __init__(self, wire: Wire, stream: bool, stack: AsyncExitStack) -> None:
        self.wire = wire
        self.stream = stream
        self._stack = stack
        self.deltas: list[Delta] = []

    async def open(self, turns: Turns, **options: object) -> Model:
        self.server = await self._stack.enter_async_context(ModelServer(turns))
        address = self.server.base_url
        chosen = Options(
            name=self.wire.name,
            base_url=address.removesuffix("/v1") if self.wire.root else address,
            # boto sends keys of Bedrock over HTTPS only; it signs with what the account has
            api_key=None if self.wire.name == "bedrock" else "sk-test",
            models=(self.wire.model,),
            stream=self.stream,
            **options,  # type: ignore[arg-type]
        )
        provider = await self._stack.enter_async_context(aclosing(self.wire.provider(chosen)))
        return provider.model(self.wire.model)

    async def reply(self, model: Model, conversation: Sequence[ModelMessage]) -> Reply:
        return await model.reply(conversation, [BASH], on_delta=self.deltas.append)


@pytest.fixture(params=[f"{name}-{how}" for name in WIRES for how in ("streamed", "whole")])
async def seat(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Seat]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "sk-test")
    name, _, how = request.param.partition("-")
    async with AsyncExitStack() as stack:
        yield Seat(WIRES[name], how == "streamed", stack)


def ask(prompt: str = "Hi") -> list[ModelMessage]:
    return [ModelRequest(parts=[SystemPromptPart("You are terse."), UserPromptPart(prompt)])]


def results(answer: Reply) -> ModelRequest:
    return ModelRequest(
        parts=[
            ToolReturnPart("bash", f"out of {call.args_as_dict()['command']}", call.tool_call_id)
            for call in answer.message.tool_calls
        ]
    )


def stored(conversation: Sequence[ModelMessage]) -> list[ModelMessage]:
    """As it comes back from a log."""
    kept = ModelMessagesTypeAdapter.dump_json(list(conversation), exclude_none=True)
    return ModelMessagesTypeAdapter.validate_json(kept)


async def test_a_conversation_with_parallel_calls_and_reasoning(seat: Seat) -> None:
    calls = [("bash", {"command": f"echo {n}"}) for n in range(3)]
    turns = [Say("Look first.", calls, reasoning="Two and two."), Say("All done.")]
    model = await seat.open(turns)

    first = await seat.reply(model, ask())
    second = await seat.reply(model, stored([*ask(), first.message, results(first)]))

    assert first.message.text == "Look first."
    assert [c.args_as_dict()["command"] for c in first.message.tool_calls] == [
        f"echo {n}" for n in range(3)
    ]
    assert len({call.tool_call_id for call in first.message.tool_calls}) == 3
    assert "".join(delta.text for delta in seat.deltas) == "Look first.All done."
    assert second.message.text == "All done."
    assert "out of echo 2" in json.dumps(seat.server.requests[1])


async def test_text_comes_in_pieces_when_it_is_streamed(seat: Seat) -> None:
    model = await seat.open([Say("word " * 40)])

    await seat.reply(model, ask())

    assert (len(seat.deltas) >= 8) is seat.stream


GOES_BACK: dict[Callable[[Options], Hosted], str] = {
    chat: '"reasoning_content": "Two and two."',
    responses: '"encrypted_content": "sealed"',
    openrouter: '"signature": "signed"',
    messages: '"signature": "signed"',
    converse: '"signature": "signed"',
    gemini: '"thoughtSignature": "c2lnbmVk"',
}


async def test_reasoning_goes_back_as_the_provider_wants_it(seat: Seat) -> None:
    say = Say("Look.", [("bash", {"command": "ls"})], reasoning="Two and two.")
    model = await seat.open([say, Say("Done.")])

    first = await seat.reply(model, ask())
    await seat.reply(model, stored([*ask(), first.message, results(first)]))

    assert first.message.thinking == "Two and two."
    assert "".join(delta.reasoning for delta in seat.deltas) == "Two and two."
    assert GOES_BACK[seat.wire.provider] in json.dumps(seat.server.requests[1])
    if seat.wire.provider is responses:
        assert seat.server.requests[0]["include"] == ["reasoning.encrypted_content"]


PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)


@pytest.mark.parametrize("taken", [True, False])
async def test_images_of_users_and_tools_are_sent_where_they_are_taken(
    seat: Seat, taken: bool
) -> None:
    model = await seat.open(
        [Say("Look.", [("view", {"path": "a.png"})]), Say("Red.")], images=taken
    )
    image = BinaryContent(PIXEL, media_type="image/png")
    prompt = ModelRequest(parts=[UserPromptPart(["What is it?", image])])

    first = await seat.reply(model, stored([prompt]))
    (call,) = first.message.tool_calls
    seen = ModelRequest(
        parts=[ToolReturnPart("view", ["a.png: 70 bytes", image], call.tool_call_id)]
    )
    await seat.reply(model, stored([prompt, first.message, seen]))

    sent = [json.dumps(request) for request in seat.server.requests]
    encoded = base64.b64encode(PIXEL).decode()
    count = [text.replace("-", "+").replace("_", "/").count(encoded) for text in sent]
    assert count == ([1, 2] if taken else [0, 0])
    assert ("does not take" in sent[1]) is not taken
    assert "a.png: 70 bytes" in sent[1]


async def test_usage_and_price_are_those_of_the_reply(seat: Seat) -> None:
    model = await seat.open([Say("ok", input_tokens=1200, output_tokens=34, cached_tokens=200)])

    answer = await seat.reply(model, ask())

    assert (answer.input_tokens, answer.output_tokens) == (1200, 34)
    assert answer.cache_read_tokens == 200
    assert answer.cost_nano_credits
    assert model.window_tokens >= 100_000


async def test_the_key_is_sent_where_the_provider_looks_for_it(seat: Seat) -> None:
    model = await seat.open([Say("ok")])

    await seat.reply(model, ask())

    assert "sk-test" in seat.server.keys[0]


async def test_an_earlier_request_is_the_beginning_of_the_later_one(seat: Seat) -> None:
    """Providers cache by prefix."""
    model = await seat.open([Say("One.", [("bash", {"command": "ls"})]), Say("Two.")])

    first = await seat.reply(model, ask())
    await seat.reply(model, stored([*ask(), first.message, results(first)]))

    earlier, later = (_history(request) for request in seat.server.requests)
    assert later[: len(earlier)] == earlier


def _history(request: dict[str, object]) -> list[str]:
    """Without the marks that say what to cache: they move with the end."""
    kept = next(request[key] for key in ("messages", "input", "contents") if key in request)
    assert isinstance(kept, list)
    return [json.dumps(_unmarked(item)) for item in kept]


def _unmarked(value: object) -> object:
    if isinstance(value, dict):
        if isinstance(parts := value.get("content"), list):
            value = {**value, "content": [part for part in parts if "cachePoint" not in part]}
        if isinstance(parts := value.get("content"), list) and len(parts) == 1:
            value = {**value, "content": parts[0].get("text", parts)}
        return {key: _unmarked(item) for key, item in value.items() if key != "cache_control"}
    return [_unmarked(item) for item in value] if isinstance(value, list) else value


async def test_what_a_provider_can_cache_is_marked(seat: Seat) -> None:
    model = await seat.open([Say("ok")])

    await seat.reply(model, ask())

    mark = "cachePoint" if seat.wire.name == "bedrock" else "cache_control"
    assert (mark in json.dumps(seat.server.requests[0])) is (
        seat.wire.name in ("anthropic", "bedrock", "openrouter")
    )


@pytest.mark.parametrize(
    ("fault", "permanent", "words"),
    [
        (Status(401, "bad key"), True, "API key"),
        (Status(403, "not yours"), True, "API key"),
        (Status(404, "no such model"), True, "was not found"),
        (Status(429, "slow down", headers={"retry-after": "17"}), False, "slow down"),
        (Status(500, "oh no"), False, "oh no"),
        (Status(503, "busy"), False, "busy"),
        (Status(529, "overloaded"), False, "overloaded"),
        (Reset(0), False, ""),
        (Raw(b"<html>welcome to the hotel</html>", "text/html"), False, ""),
        (Raw(b"", "application/json"), False, ""),
    ],
    ids=lambda value: repr(value)[:40] if not isinstance(value, bool | str) else "",
)
async def test_a_fault_is_one_model_error(
    seat: Seat, fault: Fault, permanent: bool, words: str
) -> None:
    model = await seat.open([Say("ok")])
    seat.server.faults.append(fault)

    with pytest.raises(ModelError) as caught:
        await seat.reply(model, ask())

    assert (caught.value.permanent, words in str(caught.value)) == (permanent, True)
    if "slow" in words:
        assert caught.value.retry_after_seconds == 17
    assert len(seat.server.requests) == 1, "the adapter itself must not retry"
    assert (await seat.reply(model, ask())).message.text == "ok"


@pytest.mark.parametrize("events", [0, 1, 3])
async def test_a_stream_that_ends_early_is_no_reply(seat: Seat, events: int) -> None:
    if not seat.stream:
        pytest.skip("only streams break off")
    model = await seat.open([Say("a longer text", [("bash", {"command": "echo one"})])])
    for fault in (Cut(events), Reset(events)):
        seat.server.faults.append(fault)
        with pytest.raises(ModelError) as caught:
            await seat.reply(model, ask())
        assert not caught.value.permanent


async def test_a_silent_server_is_given_up(seat: Seat) -> None:
    options = {"first_token_timeout_seconds": 0.3, "total_timeout_seconds": 0.6}
    model = await seat.open([Say("slow")], **options)
    seat.server.faults.append(Stall(0, seconds=5))

    with pytest.raises(ModelError) as caught:
        await seat.reply(model, ask())

    assert not caught.value.permanent


TOO_LONG = {
    "openai": Status(400, "too many tokens", error_code="context_length_exceeded"),
    "openrouter": Status(400, "This endpoint's maximum context length is 200000 tokens."),
    "anthropic": Status(400, "prompt is too long: 208310 tokens > 200000 maximum"),
    "bedrock": Status(400, "Input is too long for requested model."),
    "google": Status(
        400,
        "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
    ),
}


async def test_an_overflow_is_told_apart(seat: Seat) -> None:
    model = await seat.open([Say("ok")])
    seat.server.faults.append(TOO_LONG[seat.wire.name])

    with pytest.raises(ContextOverflow):
        await seat.reply(model, ask())


async def test_a_refusal_is_told_apart(seat: Seat) -> None:
    model = await seat.open([Say("", finish="content_filter")])

    with pytest.raises(ModelRefused):
        await seat.reply(model, ask())
