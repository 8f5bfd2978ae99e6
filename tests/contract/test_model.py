"""What every model keeps: the built-in script, and an OpenAI-compatible server over real HTTP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field

import pytest
from pydantic_ai.messages import (
    ModelMessage,
    ModelMessagesTypeAdapter,
    ModelRequest,
    SystemPromptPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_ai.tools import ToolDefinition

from journeyman.llm import ContextOverflow, Delta, Model, ModelError, ModelRefused, Reply
from journeyman.llm.openai import chat
from journeyman.llm.provider import Options
from journeyman.llm.script import Script
from tests.peers.model_server import Cut, Fault, ModelServer, Raw, Reset, Say, Stall, Status

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


def ask(prompt: str) -> list[ModelMessage]:
    return [ModelRequest(parts=[SystemPromptPart("You are terse."), UserPromptPart(prompt)])]


@dataclass
class Heard:
    deltas: list[Delta] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(delta.text for delta in self.deltas)

    @property
    def reasoning(self) -> str:
        return "".join(delta.reasoning for delta in self.deltas)


async def reply(
    model: Model, messages: Sequence[ModelMessage], heard: Heard | None = None
) -> Reply:
    return await model.reply(messages, [BASH], on_delta=(heard or Heard()).deltas.append)


@asynccontextmanager
async def served(server: ModelServer, **options: object) -> AsyncIterator[Model]:
    """A model of *server*, named as the price list knows it."""
    chosen = Options(base_url=server.base_url, api_key="sk-test", models=("gpt-5.4",), **options)  # type: ignore[arg-type]
    async with aclosing(chat(chosen)) as provider:
        yield provider.model("gpt-5.4")


@pytest.fixture(params=["script", "streamed", "whole"])
async def greeter(request: pytest.FixtureRequest) -> AsyncIterator[Model]:
    """A model that says something, asks for `echo hello`, then ends."""
    if request.param == "script":
        yield Script()
        return
    turns = [Say("Hello first.", [("bash", {"command": "echo hello"})]), Say("All done.")]
    async with (
        ModelServer(turns) as server,
        served(server, stream=request.param == "streamed") as model,
    ):
        yield model


PROMPT = "Say hello\n```sh\necho hello\n```\n"


async def test_a_reply_has_text_and_a_call_and_its_deltas_add_up(greeter: Model) -> None:
    heard = Heard()

    answer = await reply(greeter, ask(PROMPT), heard)

    assert answer.message.text
    assert heard.text == answer.message.text
    (call,) = answer.message.tool_calls
    assert call.tool_name == "bash"
    assert call.args_as_dict()["command"] == "echo hello"
    assert call.tool_call_id
    assert answer.failure is None


async def test_a_conversation_goes_on_after_a_round_trip_through_json(greeter: Model) -> None:
    messages = ask(PROMPT)
    first = await reply(greeter, messages)
    (call,) = first.message.tool_calls
    result = ToolReturnPart("bash", "hello\n[exit 0, 0.1 s]", call.tool_call_id)
    messages += [first.message, ModelRequest(parts=[result])]
    stored = ModelMessagesTypeAdapter.dump_json(messages, exclude_none=True)

    second = await reply(greeter, ModelMessagesTypeAdapter.validate_json(stored))

    assert second.message.text
    assert not second.message.tool_calls


async def test_the_same_history_gets_the_same_answer(greeter: Model) -> None:
    first, second = await reply(greeter, ask(PROMPT)), await reply(greeter, ask(PROMPT))

    assert first.message.text == second.message.text


async def test_two_conversations_at_once_do_not_mix(greeter: Model) -> None:
    answers = await asyncio.gather(*(reply(greeter, ask(PROMPT)) for _ in range(8)))

    assert {answer.message.text for answer in answers} == {answers[0].message.text}


async def test_the_request_is_what_the_server_expects() -> None:
    async with ModelServer([Say("ok")]) as server, served(server) as model:
        await reply(model, ask("Hi"))

    (request,) = server.requests
    assert request["model"] == "gpt-5.4"
    assert request["stream"] is True
    assert request["stream_options"] == {"include_usage": True}
    assert [m["role"] for m in request["messages"]] == ["system", "user"]
    (tool,) = request["tools"]
    assert tool["function"]["parameters"] == BASH.parameters_json_schema
    assert server.keys == ["Bearer sk-test"]


async def test_a_request_is_the_beginning_of_the_next_one() -> None:
    """Providers cache by prefix: what was sent once must be sent again, byte for byte."""
    turns = [Say("One.", [("bash", {"command": "ls"})]), Say("Two.")]
    async with ModelServer(turns) as server, served(server) as model:
        messages = ask("Hi")
        first = await reply(model, messages)
        result = ToolReturnPart("bash", "a.py", first.message.tool_calls[0].tool_call_id)
        await reply(model, [*messages, first.message, ModelRequest(parts=[result])])

    earlier, later = ([json.dumps(m) for m in r["messages"]] for r in server.requests)
    assert later[: len(earlier)] == earlier


@pytest.mark.parametrize("stream", [True, False])
async def test_usage_and_price_are_those_of_the_reply(stream: bool) -> None:
    say = Say("ok", input_tokens=1200, output_tokens=34, cached_tokens=200)
    async with ModelServer([say]) as server, served(server, stream=stream) as model:
        answer = await reply(model, ask("Hi"))

    assert (answer.input_tokens, answer.output_tokens) == (1200, 34)
    assert answer.cache_read_tokens == 200
    assert answer.model == "gpt-5.4"
    assert answer.cost_nano_credits is not None
    assert answer.cost_nano_credits > 0


async def test_the_price_of_a_model_nobody_lists_is_unknown_not_zero() -> None:
    async with ModelServer([Say("ok")]) as server:
        options = Options(name="attic", base_url=server.base_url, models=("house-model",))
        async with aclosing(chat(options)) as provider:
            answer = await reply(provider.model("house-model"), ask("Hi"))

    assert answer.cost_nano_credits is None
    assert answer.input_tokens == 1000


async def test_a_server_that_reports_no_usage_is_still_understood() -> None:
    say = Say("ok", input_tokens=0, output_tokens=0, cached_tokens=0)
    async with ModelServer([say]) as server, served(server) as model:
        answer = await reply(model, ask("Hi"))

    assert answer.message.text == "ok"
    assert answer.cost_nano_credits is None


@pytest.mark.parametrize("stream", [True, False])
async def test_parallel_calls_keep_their_order(stream: bool) -> None:
    calls = [("bash", {"command": f"echo {n}"}) for n in range(5)]
    async with ModelServer([Say("", calls)]) as server, served(server, stream=stream) as model:
        answer = await reply(model, ask("Hi"))

    commands = [call.args_as_dict()["command"] for call in answer.message.tool_calls]
    assert commands == [f"echo {n}" for n in range(5)]


async def test_reasoning_comes_apart_from_the_text() -> None:
    heard = Heard()
    async with ModelServer([Say("Four.", reasoning="Two and two.")]) as server:
        options = Options(name="lab", base_url=server.base_url, models=("thinker",))
        async with aclosing(chat(options)) as provider:
            answer = await reply(provider.model("thinker"), ask("2+2"), heard)

    assert (heard.text, heard.reasoning) == ("Four.", "Two and two.")
    assert answer.message.thinking == "Two and two."


async def test_text_comes_in_pieces_while_it_is_made() -> None:
    heard = Heard()
    async with ModelServer([Say("word " * 40)], pieces=20) as server, served(server) as model:
        await reply(model, ask("Hi"), heard)

    assert len(heard.deltas) >= 10


@pytest.mark.parametrize(
    ("fault", "permanent", "words"),
    [
        (Status(401, "bad key"), True, "API key"),
        (Status(403, "not yours"), True, "API key"),
        (Status(404, "no such model"), True, "base_url"),
        (Status(429, "out of credit", error_code="insufficient_quota"), True, "used up"),
        (Status(429, "slow down"), False, "slow down"),
        (Status(500, "oh no"), False, "oh no"),
        (Status(502), False, "scripted fault"),
        (Status(503), False, "scripted fault"),
        (Status(529, "busy"), False, "busy"),
        (Reset(0), False, ""),
        (Reset(3), False, ""),
        (Cut(0), False, ""),
        (Cut(3), False, ""),
        (Cut(9), False, ""),
        (Raw(b"<html>welcome to the hotel</html>", "text/html"), False, ""),
        (Raw(b'data: {"nonsense": tr\n\n', "text/event-stream"), False, ""),
        (Raw(b'data: {"choices": 7}\n\ndata: [DONE]\n\n', "text/event-stream"), False, ""),
        (Raw(b"data: [1, 2]\n\ndata: [DONE]\n\n", "text/event-stream"), False, ""),
        (Raw(b'data: {"error": {"message": "melted"}}\n\n', "text/event-stream"), False, "melted"),
        (Raw(b"", "text/event-stream"), False, ""),
    ],
    ids=lambda value: repr(value)[:60] if not isinstance(value, bool | str) else "",
)
async def test_every_fault_is_one_model_error(fault: Fault, permanent: bool, words: str) -> None:
    say = Say("a longer text", [("bash", {"command": "echo one"})])
    async with ModelServer([say]) as server, served(server) as model:
        server.faults.append(fault)
        with pytest.raises(ModelError) as caught:
            await reply(model, ask("Hi"))
        assert (caught.value.permanent, words in str(caught.value)) == (permanent, True)
        assert "gpt-5.4" in str(caught.value)
        assert len(server.requests) == 1, "the adapter itself must not retry"
        assert (await reply(model, ask("Hi"))).message.text, "the next request must work again"


@pytest.mark.parametrize(
    "fault",
    [
        Status(500, "oh no"),
        Status(401),
        Reset(0),
        Raw(b"<html>", "text/html"),
        Raw(b"{}"),
        Raw(b'{"choices": []}'),
        Raw(b"[1]"),
        Raw(b'"yes"'),
    ],
    ids=repr,
)
async def test_faults_are_model_errors_without_streaming_too(fault: Fault) -> None:
    async with ModelServer() as server, served(server, stream=False) as model:
        server.faults.append(fault)
        with pytest.raises(ModelError):
            await reply(model, ask("Hi"))


async def test_retry_after_is_handed_on() -> None:
    async with ModelServer() as server, served(server) as model:
        server.faults.append(Status(429, headers={"retry-after": "17"}))
        with pytest.raises(ModelError) as caught:
            await reply(model, ask("Hi"))

    assert caught.value.retry_after_seconds == 17


@pytest.mark.parametrize("events", [0, 3])
async def test_a_silent_server_is_given_up(events: int) -> None:
    options = {"first_token_timeout_seconds": 0.2}
    async with ModelServer([Say("slow")]) as server, served(server, **options) as model:
        server.faults.append(Stall(events))
        with pytest.raises(ModelError) as caught:
            await reply(model, ask("Hi"))

    assert not caught.value.permanent


async def test_a_reply_that_never_ends_is_given_up() -> None:
    options = {"total_timeout_seconds": 0.3}
    turns = [Say("x" * 400)]
    async with (
        ModelServer(turns, pieces=400, gap_seconds=0.02) as server,
        served(server, **options) as model,
    ):
        with pytest.raises(ModelError) as caught:
            await reply(model, ask("Hi"))

    assert not caught.value.permanent


async def test_a_refused_connection_is_transient_and_names_the_address() -> None:
    async with ModelServer() as server:
        address = server.base_url
    secret = address.replace("//", "//me:s3cret@")
    options = Options(name="gone", base_url=secret, models=("m",))
    async with aclosing(chat(options)) as provider:
        with pytest.raises(ModelError) as caught:
            await reply(provider.model("m"), ask("Hi"))

    assert not caught.value.permanent
    assert f"check that a server is up at base_url ({address}) of provider 'gone'" in str(
        caught.value
    )
    assert "s3cret" not in str(caught.value)


async def test_an_overflow_is_told_apart() -> None:
    async with ModelServer() as server, served(server) as model:
        server.faults.append(
            Status(
                400, "maximum context length is 8192 tokens", error_code="context_length_exceeded"
            )
        )
        with pytest.raises(ContextOverflow):
            await reply(model, ask("Hi"))


async def test_a_rejected_request_is_a_refusal() -> None:
    async with ModelServer() as server, served(server) as model:
        server.faults.append(Status(400, "tools[0] is not to my liking"))
        with pytest.raises(ModelRefused, match="not to my liking"):
            await reply(model, ask("Hi"))


async def test_a_filtered_reply_is_a_refusal() -> None:
    async with ModelServer([Say("", finish="content_filter")]) as server, served(server) as model:
        with pytest.raises(ModelRefused):
            await reply(model, ask("Hi"))


async def test_cancelling_ends_the_request_at_once() -> None:
    heard = asyncio.Event()
    async with ModelServer([Say("slow")]) as server, served(server) as model:
        server.faults.append(Stall(3))
        task = asyncio.create_task(
            model.reply(ask("Hi"), [BASH], on_delta=lambda delta: heard.set())
        )
        async with asyncio.timeout(5):
            await heard.wait()
        started = asyncio.get_running_loop().time()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    assert asyncio.get_running_loop().time() - started < 1


async def test_broken_unicode_from_the_model_arrives() -> None:
    """The loop makes it storable; here it must only not be lost or fatal."""
    async with ModelServer([Say("half a pair: \ud83d.")]) as server, served(server) as model:
        answer = await reply(model, ask("Hi"))

    assert (answer.message.text or "").startswith("half a pair")
