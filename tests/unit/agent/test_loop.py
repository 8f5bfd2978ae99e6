"""One turn after another: over the script, and over a model behind real HTTP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing

import pytest
from pydantic_ai.messages import ModelMessagesTypeAdapter, ModelRequest, ToolReturnPart

from journeyman.agent.conversation import Conversation
from journeyman.agent.loop import INTERRUPTED, NOT_RUN, PARALLEL, Retries, turn
from journeyman.agent.tools import Result, Toolbox, ToolError, ask_user
from journeyman.agent.tools.toolbox import Arguments, OnPartial, Tool, make_tool
from journeyman.agent.verdict import CONTINUE, Kind, Verdict
from journeyman.domain.events import EPHEMERAL, EventType, NewEvent
from journeyman.domain.sessions import Reason
from journeyman.llm import Model
from journeyman.llm.openai import OpenAICompatible, Options
from journeyman.llm.script import Script
from journeyman.sandbox import SandboxLost
from tests.peers.model_server import ModelServer, Raw, Reset, Say, Stall, Status, Turns
from tests.unit.agent.journal import Journal, NotMine

QUICK = Retries(attempts=3, first_seconds=0.01, most_seconds=0.02)


class Command(Arguments):
    """Run a command."""

    command: str
    timeout: int = 120


class Bench:
    """Tools that note what they did; a command is a word and what it works on."""

    def __init__(self) -> None:
        self.ran: list[str] = []
        self.reports: list[str] = []
        self.running = 0
        self.most_running = 0
        tools = [
            make_tool("bash", Command, self.run),
            make_tool("look", Command, self.run, read_only=True),
            make_tool("report_progress", Report, self.report, service=True),
            ask_user.tool(),
        ]
        self.tools = Toolbox(tools)

    async def run(self, arguments: Command, on_partial: OnPartial) -> Result:
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            return await self._run(arguments.command, on_partial)
        finally:
            self.running -= 1

    async def _run(self, command: str, on_partial: OnPartial) -> Result:
        self.ran.append(command)
        word, _, rest = command.partition(" ")
        match word:
            case "fail":
                return Result("no\n[exit 3, 0.1 s]", success=False, details={"exitCode": 3})
            case "refuse":
                raise ToolError(f"cannot do {rest}")
            case "crash":
                raise ZeroDivisionError(rest)
            case "lose":
                raise SandboxLost
            case "hang":
                await asyncio.sleep(60)
            case "wait":
                await asyncio.sleep(0.02)
            case "print":
                on_partial(rest.encode())
                await asyncio.sleep(0.2)
            case "flood":
                return Result("x" * 79 + "\n" + "y\n" * 500_000)
            case "raw":
                return Result("\x1b[31mred\x1b[0m 10%\r99%\nlone \ud800 nul \0 end")
        return Result(f"did {rest}", details={"exitCode": 0})

    async def report(self, arguments: Report, on_partial: OnPartial) -> Result:
        if arguments.commit_message == "stolen":
            raise NotMine
        self.reports.append(arguments.commit_message)
        return Result("committed")


class Report(Arguments):
    """Report."""

    commit_message: str
    pr_description: str = ""


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


class Setup:
    """A session with a model server behind it."""

    def __init__(self, server: ModelServer, model: Model, bench: Bench) -> None:
        self.server = server
        self.model = model
        self.bench = bench
        self.journal = Journal()
        self.journal.say("Do it")

    async def step(self, conversation: Conversation | None = None) -> Verdict:
        return await step(self.journal, self.model, self.bench.tools, conversation)

    async def to_the_end(self) -> Verdict:
        return await to_the_end(self.journal, self.model, self.bench.tools)


@pytest.fixture
def served(bench: Bench, stack: AsyncExitStack) -> Served:
    return Served(bench, stack)


class Served:
    def __init__(self, bench: Bench, stack: AsyncExitStack) -> None:
        self.bench = bench
        self.stack = stack

    async def __call__(self, turns: Turns, **options: float) -> Setup:
        server = await self.stack.enter_async_context(ModelServer(turns))
        chosen = Options(base_url=server.base_url, models=("m",), **options)  # type: ignore[arg-type]
        provider = await self.stack.enter_async_context(aclosing(OpenAICompatible(chosen)))
        return Setup(server, provider.model("m"), self.bench)


async def step(
    journal: Journal, model: Model, tools: Toolbox, conversation: Conversation | None = None
) -> Verdict:
    return await turn(
        conversation or journal.conversation("Be good."),
        model=model,
        tools=tools,
        emit=journal.emit,
        publish=journal.publish,
        retries=QUICK,
    )


async def to_the_end(journal: Journal, model: Model, tools: Toolbox) -> Verdict:
    """Turn after turn on one conversation, which must stay what its log says."""
    conversation = journal.conversation("Be good.")
    while (verdict := await step(journal, model, tools, conversation)) == CONTINUE:
        assert_same(conversation, journal.conversation("Be good."))
    assert_same(conversation, journal.conversation("Be good."))
    return verdict


def assert_same(lived: Conversation, read: Conversation) -> None:
    one, two = (
        ModelMessagesTypeAdapter.dump_python(c.messages, mode="json", exclude={"__all__": {}})
        for c in (lived, read)
    )
    assert strip(one) == strip(two)
    assert (lived.turns, lived.pending, lived.touched) == (read.turns, read.pending, read.touched)


def strip(value: object) -> object:
    """*value* without the times at which its parts were made; they are never sent."""
    if isinstance(value, dict):
        return {key: strip(item) for key, item in value.items() if key != "timestamp"}
    return [strip(item) for item in value] if isinstance(value, list) else value


def results(journal: Journal) -> list[str]:
    """What the model saw of each call, in the order of the log."""
    return [
        str((event.record or {})["part"]["content"])
        for event in journal.all(EventType.TOOL_COMPLETE)
    ]


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


class TestBadReplies:
    @pytest.mark.parametrize(
        ("call", "words"),
        [
            (("no_such", {"command": "x"}), ["no tool 'no_such'", "bash, look"]),
            (("bash", {}), ["command", "Field required"]),
            (("bash", {"command": "x", "sudo": True}), ["sudo", "not permitted"]),
            (("bash", {"command": "x", "timeout": "soon"}), ["timeout", "integer"]),
            (("bash", '{"command": "x"'), ["not a JSON object"]),
            (("bash", "[1]"), ["not a JSON object"]),
            (("bash", '{"command": "\\ud800"}'), ["not a JSON object"]),
            (("bash", {"command": "refuse this"}), ["cannot do this"]),
            (("bash", {"command": "crash now"}), ["ZeroDivisionError", "now"]),
        ],
    )
    async def test_a_call_that_fails_is_data_for_the_model(
        self, served: Served, call: tuple[str, dict[str, object] | str], words: list[str]
    ) -> None:
        session = await served([Say("", [call]), Say("I see.")])

        verdict = await session.to_the_end()

        assert verdict.kind is Kind.DONE
        sent = session.server.requests[-1]["messages"][-1]["content"]
        assert all(word in sent for word in words), sent
        event = session.journal.all(EventType.TOOL_COMPLETE)[0].data
        assert event["success"] is False
        assert all(word in event["error"]["message"] for word in words)

    async def test_an_empty_reply_is_asked_for_again(self, served: Served) -> None:
        session = await served([Say("  ")])

        verdict = await session.step()

        assert (verdict.kind, verdict.reason) == (Kind.FAILED, Reason.MODEL_UNAVAILABLE)
        assert "neither a text nor a tool call" in verdict.message
        assert len(session.server.requests) == QUICK.attempts

    async def test_call_ids_that_repeat_are_made_different(self, served: Served) -> None:
        calls = [("look", {"command": f"do {n}"}) for n in range(2)]
        say = Say("", calls, call_ids=["call_0", "call_0"])
        session = await served([say, say, Say("Done.")])

        assert (await session.to_the_end()).kind is Kind.DONE

        ids = [e.data["toolCallId"] for e in session.journal.all(EventType.TOOL_COMPLETE)]
        assert len(set(ids)) == 4
        assert len(session.bench.ran) == 4

    async def test_broken_text_is_made_storable(self, served: Served) -> None:
        calls = [("bash", {"command": "raw"})]
        session = await served([Say("half \ud83d, nul \0", calls), Say("Done.")])

        assert (await session.to_the_end()).kind is Kind.DONE

        shown = session.journal.all(EventType.TOOL_COMPLETE)[0].data["result"]["content"]
        assert shown == "\x1b[31mred\x1b[0m 10%\r99%\nlone \ufffd nul \ufffd end"
        assert results(session.journal) == ["99%\nlone \ufffd nul \ufffd end"]

    async def test_a_flood_is_kept_whole_and_clipped_for_the_model(self, served: Served) -> None:
        session = await served([Say("", [("bash", {"command": "flood"})])])

        await session.step()

        whole = session.journal.all(EventType.TOOL_COMPLETE)[0].data["result"]["content"]
        (seen,) = results(session.journal)
        assert len(whole) > 1_000_000
        assert len(seen) < 31_000


class TestFaults:
    async def test_a_transient_fault_is_retried_and_logged(self, served: Served) -> None:
        session = await served([Say("Done.")])
        session.server.faults += [Status(529, "busy"), Reset(3)]

        assert (await session.step()).kind is Kind.DONE

        retries = session.journal.all(EventType.MODEL_RETRY)
        assert [event.data["attempt"] for event in retries] == [1, 2]
        assert "busy" in retries[0].data["error"]
        assert all(event.data["delay"] <= 20 for event in retries)

    async def test_the_provider_says_how_long_to_wait(self, served: Served) -> None:
        session = await served([Say("Done.")])
        session.server.faults.append(Status(429, headers={"retry-after-ms": "70"}))
        session.server.faults.append(Status(429, headers={"retry-after": "0"}))

        assert (await session.step()).kind is Kind.DONE

        delays = [e.data["delay"] for e in session.journal.all(EventType.MODEL_RETRY)]
        assert delays[-1] == 0

    async def test_it_gives_up_with_a_reason(self, served: Served) -> None:
        session = await served([Say("Done.")])
        session.server.faults += [Status(500, "oh no")] * 3

        verdict = await session.step()

        assert (verdict.kind, verdict.reason) == (Kind.FAILED, Reason.MODEL_UNAVAILABLE)
        assert "oh no" in verdict.message

    @pytest.mark.parametrize(
        ("fault", "reason"),
        [
            (Status(401, "bad key"), Reason.MODEL_UNAVAILABLE),
            (Status(404, "no model"), Reason.MODEL_UNAVAILABLE),
            (Status(400, "bad request"), Reason.MODEL_REFUSED),
            (Status(400, "too long", error_code="context_length_exceeded"), Reason.MODEL_REFUSED),
        ],
        ids=repr,
    )
    async def test_what_will_not_mend_is_not_retried(
        self, served: Served, fault: Status, reason: Reason
    ) -> None:
        session = await served([Say("Done.")])
        session.server.faults.append(fault)

        verdict = await session.step()

        assert (verdict.kind, verdict.reason) == (Kind.FAILED, reason)
        assert fault.message in verdict.message
        assert len(session.server.requests) == 1

    async def test_nonsense_is_retried(self, served: Served) -> None:
        session = await served([Say("Done.")])
        session.server.faults.append(Raw(b"<html>", "text/html"))

        assert (await session.step()).kind is Kind.DONE

    async def test_cancelling_in_the_model_call_leaves_nothing_half(self, served: Served) -> None:
        session = await served([Say("Done.")])
        session.server.faults.append(Stall(4))
        task = asyncio.create_task(session.step())
        async with asyncio.timeout(5):
            while not session.journal.shown:
                await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

        assert session.journal.types()[-1] == "assistant.turn_start"
        assert (await session.step()).kind is Kind.DONE

    @pytest.mark.parametrize("name", ["bash", "look"])
    async def test_cancelling_in_a_tool_passes_through(self, served: Served, name: str) -> None:
        calls = [(name, {"command": "hang a"}), (name, {"command": "hang b"})]
        session = await served([Say("", calls)])
        task = asyncio.create_task(session.step())
        async with asyncio.timeout(5):
            while not session.bench.ran:
                await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

        assert session.bench.running == 0


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


class TestQuestions:
    ASK = ("ask_user", {"question": "Which?", "options": ["left", "right"]})

    async def test_a_question_waits_and_its_answer_is_the_calls_result(
        self, served: Served
    ) -> None:
        session = await served([Say("Hm.", [self.ASK]), Say("Thanks.")])

        assert await session.step() == Verdict(Kind.WAITING, "Which?")
        (asked,) = session.journal.all(EventType.INPUT_REQUESTED)
        assert asked.data["choices"] == ["left", "right"]
        assert asked.data["allowFreeform"] is True
        assert await session.step() == Verdict(Kind.WAITING, "Which?"), "and goes on waiting"
        session.journal.say("left", "answer")
        assert await session.step() == Verdict(Kind.DONE, "Thanks.")

        assert session.server.requests[-1]["messages"][-1]["role"] == "tool"
        assert session.server.requests[-1]["messages"][-1]["content"] == "left"

    async def test_a_question_beside_other_calls_is_refused(self, served: Served) -> None:
        session = await served([Say("", [self.ASK, ("look", {"command": "do it"})]), Say("Ok.")])

        assert (await session.to_the_end()).kind is Kind.DONE

        assert "only call" in results(session.journal)[0] + results(session.journal)[1]
        assert session.bench.ran == ["do it"]

    async def test_a_question_that_makes_no_sense_is_refused(self, served: Served) -> None:
        session = await served([Say("", [("ask_user", {"questions": 3})]), Say("Ok.")])

        assert (await session.to_the_end()).kind is Kind.DONE

    async def test_a_question_is_asked_once_though_the_worker_died_before(
        self, served: Served
    ) -> None:
        session = await served([Say("Hm.", [self.ASK])])
        session.journal.stop_before = lambda event: event.type is EventType.INPUT_REQUESTED
        with pytest.raises(NotMine):
            await session.step()
        session.journal.stop_before = lambda event: False

        assert (await session.step()).kind is Kind.WAITING
        assert len(session.server.requests) == 1


class TestResume:
    async def test_a_started_call_is_told_to_be_lost_and_not_run_again(
        self, served: Served
    ) -> None:
        calls = [("bash", {"command": "lose it"}), ("bash", {"command": "do more"})]
        session = await served([Say("", calls), Say("I see.")])
        with pytest.raises(SandboxLost):
            await session.step()

        assert await session.step() == CONTINUE

        assert session.bench.ran == ["lose it"]
        assert results(session.journal) == [INTERRUPTED, NOT_RUN]
        assert (await session.step()).kind is Kind.DONE
        assert "interrupted" in json.dumps(session.server.requests[-1]["messages"][-1]).lower()

    async def test_calls_that_were_never_begun_are_run(self, served: Served) -> None:
        session = await served([Say("", [("bash", {"command": "do it"})] * 2), Say("Done.")])
        session.journal.stop_before = lambda event: (
            event.type is EventType.TOOL_START and session.bench.ran != []
        )
        with pytest.raises(NotMine):
            await session.step()
        session.journal.stop_before = lambda event: False

        assert await session.step() == CONTINUE
        assert session.bench.ran == ["do it", "do it"]

    async def test_what_only_reads_is_run_though_something_was_lost(self, served: Served) -> None:
        calls = [("bash", {"command": "lose it"}), ("look", {"command": "do more"})]
        session = await served([Say("", calls), Say("I see.")])
        with pytest.raises(SandboxLost):
            await session.step()

        await session.step()

        assert session.bench.ran == ["lose it", "do more"]


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
