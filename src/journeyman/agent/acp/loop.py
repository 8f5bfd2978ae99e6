"""An ACP agent at work on a session: prompted, followed, interrupted, and started again.

One turn goes from one change of the files to the next, or lasts a moment: in between it is looked
at what users have sent, and at the limits. Knows nothing of queues or the store.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic_ai.messages import BinaryContent, ToolCallPart

from journeyman.agent import entries, verdict
from journeyman.agent.acp import External, Permissions, updates
from journeyman.agent.acp.connection import Agent, AgentError, AgentLost, Json
from journeyman.agent.acp.story import Story
from journeyman.agent.acp.updates import Call, Speech
from journeyman.agent.conversation import Conversation
from journeyman.agent.customisation.servers import ServerSpec
from journeyman.agent.live import Live
from journeyman.agent.masking import Mask
from journeyman.agent.text import clean, clip
from journeyman.agent.tools import Asking
from journeyman.agent.verdict import CONTINUE, Verdict
from journeyman.domain.events import Event, EventType, NewEvent
from journeyman.domain.sessions import Reason
from journeyman.llm import Failure, Reply
from journeyman.sandbox import WORKSPACE, Process

LOOK_SECONDS = 2.0
"""How long a turn lasts in which nothing changes."""
CANCEL_SECONDS = 10.0
"""How long an agent may take to stop where it was told to; then it is ended."""
MOST_CRASHES = 3
SESSION_CHARS = 500
"""Of what an agent calls its session; one with a longer name is not loaded again."""
OUTPUT_CHARS = 1_000_000
GO_ON = "Go on with the task, and end with a summary of what you changed."
LOST = "The agent ended before this did; it may have had effects."
NANO_CREDITS_PER_DOLLAR = 100 * 10**9
CANCELLED: Json = {"outcome": {"outcome": "cancelled"}}

Emit = Callable[[Sequence[NewEvent]], Awaitable[Sequence[Event]]]
Publish = Callable[[NewEvent], None]
Launch = Callable[[], Awaitable[Process]]


@dataclass(frozen=True)
class _Ended:
    """The answer to a prompt."""

    said: Json


@dataclass(frozen=True)
class _Asked:
    asking: Asking


class AtWork:
    """An agent of others in one run; *launch* starts its program, again where it must."""

    def __init__(
        self,
        external: External,
        launch: Launch,
        briefing: str,
        conversation: Conversation,
        *,
        servers: Sequence[ServerSpec] = (),
        emit: Emit,
        publish: Publish,
        mask: Mask,
    ) -> None:
        """*briefing*: what it is told before its task. *servers*: MCP servers for it to use."""
        self._external = external
        self._launch = launch
        self._briefing = briefing
        self._conversation = conversation
        self._servers = servers
        self._emit_ = emit
        self._publish = publish
        self._mask = mask
        self._story = Story()
        self._agent: Agent | None = None
        self._prompting: asyncio.Task[None] | None = None
        self._news: asyncio.Queue[Any] = asyncio.Queue()
        self._calls: dict[str, Call] = {}
        """Those without an end, by the agent's id."""
        self._speech = Speech()
        self._lives = contextlib.ExitStack()
        self._live: dict[EventType, Live] = {}
        self._stopping = asyncio.Event()
        """Set when the prompt is to end: questions then have no answer."""
        self._crashes = 0
        self._may_load = True
        self._spent: list[NewEvent] = []
        self._dollars = 0.0

    def note(self, event: Event) -> None:
        """Take what was logged, by whomever."""
        self._story.note(event)

    def spent(self, reply: Reply, seconds: float) -> None:
        """One reply of its model, as it went through us."""
        self._spent.append(NewEvent(EventType.USAGE, entries.usage_data(reply, seconds)))

    async def turn(self) -> Verdict:
        """Take the work one step on. Raises what emitting raises, and SandboxLost."""
        conversation = self._conversation
        if conversation.question is not None:
            return verdict.waiting(conversation.question.text)
        if conversation.end is not None:
            return conversation.end
        try:
            if self._prompting is None or conversation.unheard:
                await self._begin()
            return await self._follow()
        except AgentLost as error:
            return await self._crashed(str(error))
        except AgentError as error:
            if self._agent is not None and self._agent.loaded:
                return await self._crashed(str(error))
            await self._settle()
            name = self._external.name
            return verdict.failed(Reason.AGENT_FAILED, f"The agent {name!r} says: {error}")

    async def close(self) -> None:
        """End the agent. What it was about to say is lost. Idempotent."""
        self._lives.close()
        if self._prompting is not None:
            self._prompting.cancel()
            await asyncio.gather(self._prompting, return_exceptions=True)
            self._prompting = None
        if self._agent is not None:
            agent, self._agent = self._agent, None
            await agent.close()

    async def _begin(self) -> None:
        """Prompt it: with what the user has said, or, for one that knows nothing, with all."""
        if self._prompting is not None:
            await self._interrupt()
        heard = self._conversation.unheard
        fresh = self._agent is None
        if fresh:
            await self._settle()
        agent = await self._started() if self._agent is None else self._agent
        session = agent.session if len(agent.session) <= SESSION_CHARS else ""
        await self._emit([entries.turn_start(self._conversation, agent_session=session)])
        words = "\n\n".join(item for item in heard if isinstance(item, str))
        if fresh:
            words = self._first_words(words, remembers=agent.loaded)
        blocks: list[Json] = [{"type": "text", "text": self._mask.text(words.strip())}]
        if agent.takes_images:
            blocks += [_image(item) for item in heard if isinstance(item, BinaryContent)]
        self._stopping.clear()
        self._prompting = asyncio.create_task(self._prompt(agent, blocks))

    def _first_words(self, words: str, *, remembers: bool) -> str:
        story = self._story
        if remembers:
            return f"{story.told_again()}\n\n{GO_ON}"
        now = f"# Now\n\n{words or GO_ON}" if story.began else ""
        return f"{self._briefing}\n\n# Task\n\n{story.told()}\n\n{now}"

    async def _started(self) -> Agent:
        process = await self._launch()
        self._agent = agent = Agent(process, self._answer)
        self._news = agent.updates
        former = ""
        if self._story.began and self._may_load:
            # Once: what it has kept may be what it cannot live with.
            former, self._may_load = self._story.session, False
        await agent.start(WORKSPACE, self._external.mode, self._servers, former)
        await self._emit([_not_passed_on(one) for one in agent.left_out])
        self._servers = [one for one in self._servers if one not in agent.left_out]
        return agent

    async def _prompt(self, agent: Agent, blocks: list[Json]) -> None:
        try:
            ended: object = _Ended(await agent.prompt(blocks))
        except (AgentError, AgentLost) as error:
            ended = error
        await self._news.put(ended)

    async def _follow(self) -> Verdict:
        """Until the files have changed, the prompt has ended, or a moment is over."""
        deadline = asyncio.get_running_loop().time() + LOOK_SECONDS
        while True:
            try:
                async with asyncio.timeout_at(deadline):
                    news = await self._news.get()
            except TimeoutError:
                await self._emit([])
                return CONTINUE
            match news:
                case _Ended():
                    return await self._ended(news.said)
                case _Asked():
                    return await self._ask(news.asking)
                case Exception():
                    self._prompting = None
                    raise news
                case _ if await self._take(news):
                    return CONTINUE

    async def _take(self, update: Json) -> bool:
        """Write down what it tells; True when that has changed the files."""
        match update.get("sessionUpdate"):
            case "agent_message_chunk":
                self._say(EventType.MESSAGE_DELTA, updates.chunk(update))
            case "agent_thought_chunk":
                self._say(EventType.REASONING_DELTA, updates.chunk(update))
            case "tool_call" | "tool_call_update":
                return await self._call(update)
            case "plan" if (plan := updates.plan(update)) is not None:
                await self._emit([plan])
            case "usage_update":
                self._dollars = max(self._dollars, updates.dollars(update))
        return False

    def _say(self, kind: EventType, text: str) -> None:
        if kind is EventType.MESSAGE_DELTA:
            self._speech.text += text
        else:
            self._speech.thoughts += text
        if kind not in self._live:
            message_id = self._speech.message_id

            def show(piece: str) -> None:
                self._publish(NewEvent(kind, {"messageId": message_id, "deltaContent": piece}))

            self._live[kind] = self._lives.enter_context(Live(show, self._mask))
        self._live[kind].add(text)

    async def _call(self, update: Json) -> bool:
        told = update.get("toolCallId")
        key = told if isinstance(told, str) else ""
        if key not in self._calls:
            unique = (
                key
                if key and key not in self._conversation.call_ids
                else f"call_{uuid.uuid4().hex}"
            )
            self._calls[key] = Call(clean(unique))
        call = self._calls[key]
        call.learn(update)
        over = call.status in updates.ENDED
        if not call.begun and (over or call.is_known):
            call.begun = True
            await self._emit([self._spoken(call.part), updates.start(call)])
        if not over:
            return False
        del self._calls[key]
        call.output = clip(self._mask.text(call.output), OUTPUT_CHARS)
        await self._emit([updates.completion(call)])
        if call.kind in updates.HARMLESS:
            return False
        self._conversation.touched = True
        return True

    def _spoken(
        self, call: ToolCallPart | None = None, *, failure: Failure | None = None
    ) -> NewEvent:
        """What it said until now, as an entry."""
        said, self._speech = self._speech, Speech()
        self._lives.close()
        self._live.clear()
        return updates.message(said, call, failure)

    async def _ended(self, said: Json) -> Verdict:
        self._prompting, self._may_load = None, True
        await self._settle()
        self._account(said.get("usage"))
        self._conversation.touched = True
        await self._emit([self._spoken(failure=self._failure(said.get("stopReason")))])
        return self._conversation.end or CONTINUE

    def _failure(self, reason: object) -> Failure | None:
        name = self._external.name
        match reason:
            case "end_turn":
                return None
            case "refusal":
                return Failure(Reason.MODEL_REFUSED, f"The agent {name!r} refused the task.")
        message = (
            f"The agent {name!r} stopped before its end ({reason}); a message goes on from here."
        )
        return Failure(Reason.AGENT_FAILED, clean(message))

    async def _interrupt(self) -> None:
        """Stop its prompt: the user has something to say. Raises AgentLost."""
        assert self._agent is not None
        self._stopping.set()
        await self._agent.cancel()
        try:
            async with asyncio.timeout(CANCEL_SECONDS):
                while not isinstance(news := await self._news.get(), _Ended | Exception):
                    if isinstance(news, dict):
                        await self._take(news)
        except TimeoutError:
            await self.close()
        self._prompting = None
        await self._settle()
        if self._speech.text:
            await self._emit([self._spoken()])

    async def _settle(self) -> None:
        """Give an end to calls that will have none."""
        self._calls.clear()
        for call_id, name in list(self._story.unfinished.items()):
            call = ToolCallPart(name.partition(" ")[0], {}, call_id)
            await self._emit([entries.lost(call, LOST)])

    async def _crashed(self, why: str) -> Verdict:
        self._crashes += 1
        if self._agent is not None:
            why = f"{why} ({await self._agent.last_words()})"
        await self.close()
        self._speech = Speech()
        await self._settle()
        self._conversation.touched = True
        message = f"The agent {self._external.name!r} is gone: {self._mask.text(clean(why))}"
        if self._crashes >= MOST_CRASHES:
            return verdict.failed(
                Reason.AGENT_FAILED, f"{message}. It was started {MOST_CRASHES} times."
            )
        told = f"{message}. It is started again with the story so far."
        await self._emit([NewEvent(EventType.SESSION_INFO, {"message": told})])
        return CONTINUE

    async def _ask(self, asking: Asking) -> Verdict:
        """Our question, in the words of a call of `ask_user`."""
        call = ToolCallPart("ask_user", {"question": asking.question}, f"ask_{uuid.uuid4().hex}")
        await self._settle()
        await self._emit([self._spoken(call), entries.input_requested(call, asking)])
        return verdict.waiting(asking.question)

    async def _answer(self, method: str, params: Json) -> Json:
        match method:
            case "session/request_permission":
                return await self._permission(params)
            case "elicitation/create":
                return await self._elicitation(params)
            case _:
                raise LookupError(method)

    async def _permission(self, params: Json) -> Json:
        options = [item for item in params.get("options") or () if isinstance(item, dict)]
        match self._external.permissions:
            case Permissions.ALLOW:
                return _chosen(options, "allow")
            case Permissions.DENY:
                return _chosen(options, "reject")
        call = params.get("toolCall")
        question = _question(call if isinstance(call, dict) else {})
        names = {str(item.get("name")): item for item in options}
        answer = await self._wanted(Asking(question, tuple(names), allow_freeform=True))
        if answer is None:
            return CANCELLED
        option = names.get(answer.strip())
        if option is None:
            return _chosen(options, "reject")
        if option.get("kind") == "allow_always":
            self._story.keep(question, answer)
        return _selected(option)

    async def _elicitation(self, params: Json) -> Json:
        """Forms of one field; what asks for more is declined."""
        schema = params.get("requestedSchema")
        fields = schema.get("properties") if isinstance(schema, dict) else None
        if not isinstance(fields, dict) or len(fields) != 1:
            return {"action": "decline"}
        ((name, field),) = fields.items()
        given = field.get("enum") if isinstance(field, dict) else None
        choices = tuple(map(str, given)) if isinstance(given, list) else ()
        question = clean(clip(str(params.get("message", name)), OUTPUT_CHARS))
        answer = await self._wanted(Asking(question, choices, allow_freeform=not choices))
        if answer is None:
            return {"action": "cancel"}
        return {"action": "accept", "content": {name: answer}}

    async def _wanted(self, asking: Asking) -> str | None:
        """What the user has said to it; else it becomes the session's question, and this agent
        does not live to hear the answer: its successor asks again. None: it was told to stop."""
        answer = self._story.answer(asking.question)
        if answer is None:
            await self._news.put(_Asked(asking))
            await self._stopping.wait()
        return answer

    def _account(self, usage: Any) -> None:
        """What it says it has used, where its model is not reached through us."""
        if self._external.model or not (isinstance(usage, dict) or self._dollars):
            return
        counts = usage if isinstance(usage, dict) else {}
        cost = int(self._dollars * NANO_CREDITS_PER_DOLLAR) if self._dollars else None
        self._dollars = 0.0
        self._spent.append(
            NewEvent(
                EventType.USAGE,
                {
                    "model": self._external.id,
                    "inputTokens": updates.count(counts.get("inputTokens")),
                    "outputTokens": updates.count(counts.get("outputTokens")),
                    "cacheReadTokens": updates.count(counts.get("cachedReadTokens")),
                    "cacheWriteTokens": updates.count(counts.get("cachedWriteTokens")),
                    "cost": cost,
                    "duration": 0,
                },
            )
        )

    async def _emit(self, new: Sequence[NewEvent]) -> None:
        spent, self._spent = self._spent, []
        if new or spent:
            for event in await self._emit_([*spent, *new]):
                self._conversation.apply(event)


def _not_passed_on(server: ServerSpec) -> NewEvent:
    message = (
        f"MCP server {server.name!r} is not passed on: the agent knows no servers of its kind, "
        f"{server.kind}"
    )
    return NewEvent(EventType.SESSION_INFO, {"message": message})


def _question(call: Json) -> str:
    title = str(call.get("title") or call.get("kind") or "something")
    given = call.get("rawInput")
    command = given.get("command") if isinstance(given, dict) else None
    more = f": {command}" if isinstance(command, str) and command not in title else ""
    return clean(clip(f"May the agent do this? {title}{more}", 2_000))


def _chosen(options: list[Json], wish: str) -> Json:
    """The option of the kind `allow_once`, `reject_always`, …; for once rather than always."""
    for kind in (f"{wish}_once", f"{wish}_always"):
        for option in options:
            if option.get("kind") == kind:
                return _selected(option)
    return CANCELLED


def _selected(option: Json) -> Json:
    return {"outcome": {"outcome": "selected", "optionId": option.get("optionId")}}


def _image(image: BinaryContent) -> Json:
    data = base64.b64encode(image.data).decode()
    return {"type": "image", "data": data, "mimeType": image.media_type}
