"""What the loop's tests share: tools that note what they did, and sessions to take turn by turn."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, aclosing

from pydantic_ai.messages import ModelMessagesTypeAdapter

from journeyman.agent.conversation import Conversation
from journeyman.agent.loop import Means, Retries, turn
from journeyman.agent.tools import Result, Toolbox, ToolError, ask_user
from journeyman.agent.tools.toolbox import Arguments, OnPartial, make_tool
from journeyman.agent.verdict import CONTINUE, Verdict
from journeyman.domain.events import EventType
from journeyman.llm import Model
from journeyman.llm.openai import chat
from journeyman.llm.provider import Options
from journeyman.sandbox import SandboxLost
from tests.peers.model_server import ModelServer, Turns
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


class Served:
    def __init__(self, bench: Bench, stack: AsyncExitStack) -> None:
        self.bench = bench
        self.stack = stack

    async def __call__(self, turns: Turns, **options: float) -> Setup:
        server = await self.stack.enter_async_context(ModelServer(turns))
        chosen = Options(base_url=server.base_url, models=("m",), **options)  # type: ignore[arg-type]
        provider = await self.stack.enter_async_context(aclosing(chat(chosen)))
        return Setup(server, provider.model("m"), self.bench)


async def step(
    journal: Journal, model: Model, tools: Toolbox, conversation: Conversation | None = None
) -> Verdict:
    means = Means(model, tools, journal.emit, journal.publish, retries=QUICK)
    return await turn(conversation or journal.conversation("Be good."), means)


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
